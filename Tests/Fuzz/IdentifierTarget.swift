import MatrixEvents
import MatrixPrimitives

/// The target that reads text as every kind of identifier, and as the small languages in events: base64, globs, sizes
/// of rooms.
enum IdentifierTarget {
  static func run(_ bytes: [UInt8]) throws {
    let text = Text(decoding: bytes, as: UTF8.self)
    if let user = UserID(text) {
      try check(user, localpart: user.localpart, server: user.serverName)
      _ = user.hasStrictLocalpart
    }
    if let room = RoomID(text) { try check(room, localpart: room.localpart, server: room.serverName) }
    if let event = EventID(text) { try check(event, localpart: event.localpart, server: event.serverName) }
    if let alias = RoomAlias(text) { try check(alias, localpart: alias.localpart, server: alias.serverName) }
    if let name = ServerName(text) {
      _ = name.isIPLiteral
      let written = name.port == nil ? name.host : "\(name.host):"
      try BrokenProperty.require(text.hasPrefix(written), "a server name begins with its host")
    }
    try checkBase64(bytes, text)
    try checkGlobs(text)
  }

  /// Globs take as long as pattern times text, and the instrumented code for each step many times as long as usual; hence short ones.
  private static func checkGlobs(_ text: Text) throws {
    let scalars = Array(text.unicodeScalars.prefix(512))
    let half = min(scalars.count / 2, 192)
    let (pattern, rest) = (Self.text(scalars[..<half]), Self.text(scalars[half...]))
    let (glob, folded) = (GlobPattern(pattern), FoldedText(Self.text(scalars[...])))
    let isWhole = glob.matches(FoldedText(rest))
    try BrokenProperty.require(!isWhole || glob.matchesWords(of: FoldedText(rest)), "a whole text is a part of itself")
    _ = glob.matchesWords(of: folded)
    let literal = GlobPattern(literal: text)
    try BrokenProperty.require(literal.matches(FoldedText(text)), "text matches itself")
    try BrokenProperty.require(
      GlobPattern(literal: Self.text(scalars[...])).matchesWords(of: folded), "a short text is found in itself")
  }

  private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> Text {
    Text(String(String.UnicodeScalarView(scalars)))
  }

  private static func check(_ id: some MatrixIdentifier, localpart: Text, server: Text?) throws {
    try BrokenProperty.require(id.rawValue.utf8.count <= 255, "an identifier is at most 255 bytes long")
    let rest = localpart + (server.map { ":\($0)" } ?? "")
    try BrokenProperty.require(
      rest == id.rawValue.dropFirst() || id.rawValue.hasSuffix(":"), "an identifier is the sum of its parts")
  }

  private static func checkBase64(_ bytes: [UInt8], _ text: Text) throws {
    try BrokenProperty.require(
      UnpaddedBase64.decode(UnpaddedBase64.encode(bytes)) == bytes
        && UnpaddedBase64.decode(UnpaddedBase64.encodeURLSafe(bytes)) == bytes, "base64 gives back what it was given")
    guard let decoded = UnpaddedBase64.decode(text) else { return }
    try BrokenProperty.require(
      UnpaddedBase64.decode(UnpaddedBase64.encode(decoded)) == decoded, "decoded base64 can be encoded")
  }
}
