import ByteText

/// The type of string literals in this module where nothing else is asked for.
typealias StringLiteralType = Text
