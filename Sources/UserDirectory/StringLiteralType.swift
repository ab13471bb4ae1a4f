import ByteText

// The types of literals in this module where nothing else is asked for; those of one character have types of their own.

typealias StringLiteralType = Text
typealias ExtendedGraphemeClusterType = Text
typealias UnicodeScalarType = Text
