extension MatrixIdentifier {
  /// Takes a text of a request.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is no such identifier.
  public init(checking text: Text) throws(MatrixError) {
    guard let value = Self(text) else { throw .invalidParam("'\(text)' is not a valid \(Self.noun)") }
    self = value
  }
}

extension JSONValue {
  /// Reads an identifier that a request must have, such as `try body.require("user_id") as UserID`.
  ///
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it is no string or this is no object, `M_INVALID_PARAM` if it is no such
  ///   identifier.
  public func require<ID: MatrixIdentifier>(_ key: Text) throws(MatrixError) -> ID {
    try ID(checking: try requireString(key))
  }

  /// Reads an identifier that a request may have; `null` counts as absent.
  ///
  /// - Throws: `M_BAD_JSON` if it is no string or this is no object, `M_INVALID_PARAM` if it is no such identifier.
  public func optional<ID: MatrixIdentifier>(_ key: Text) throws(MatrixError) -> ID? {
    guard let text = try optionalString(key) else { return nil }
    return try ID(checking: text)
  }

  /// Reads a list of strings that a request must have.
  ///
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it is no array of strings or this is no object.
  public func requireStrings(_ key: Text) throws(MatrixError) -> [Text] {
    try Self.strings(try requireArray(key), key)
  }

  /// Reads a list of strings that a request may have; `null` counts as absent.
  ///
  /// - Throws: `M_BAD_JSON` if it is no array of strings or this is no object.
  public func optionalStrings(_ key: Text) throws(MatrixError) -> [Text]? {
    guard let elements = try optionalArray(key) else { return nil }
    return try Self.strings(elements, key)
  }

  private static func strings(_ elements: JSONElements, _ key: Text) throws(MatrixError) -> [Text] {
    var texts: [Text] = []
    for element in elements {
      guard let text = element.string else { throw .badJSON("'\(key)' must hold strings") }
      texts.append(text)
    }
    return texts
  }
}
