extension JSONValue {
  /// Looks a member up that may be absent; `null` counts as absent.
  private func optional<T>(
    _ key: Text, _ expected: Text, _ convert: (JSONValue) -> T?
  ) throws(MatrixError) -> T? {
    guard kind == .object else { throw MatrixError.badJSON("Content must be a JSON object.") }
    guard let member = self[key], !member.isNull else { return nil }
    guard let converted = convert(member) else {
      throw MatrixError.badJSON("'\(key)' must be \(expected).")
    }
    return converted
  }

  private func require<T>(_ key: Text, _ expected: Text, _ convert: (JSONValue) -> T?) throws(MatrixError) -> T {
    guard let member = try optional(key, expected, convert) else {
      if self[key] != nil { throw MatrixError.badJSON("'\(key)' must be \(expected).") }
      throw MatrixError.missingParam("Missing parameter: \(key)")
    }
    return member
  }

  /// Reads a string that a request must have.
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it has another type or this is no object.
  public func requireString(_ key: Text) throws(MatrixError) -> Text {
    try require(key, "a string", \.string)
  }

  /// Reads a string that a request may have; `null` counts as absent.
  /// - Throws: `M_BAD_JSON` if it has another type or this is no object.
  public func optionalString(_ key: Text) throws(MatrixError) -> Text? {
    try optional(key, "a string", \.string)
  }

  /// Reads an integer that a request must have.
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it has another type or this is no object.
  public func requireInteger(_ key: Text) throws(MatrixError) -> Int64 {
    try require(key, "an integer", \.integer)
  }

  /// Reads an integer that a request may have; `null` counts as absent.
  /// - Throws: `M_BAD_JSON` if it has another type or this is no object.
  public func optionalInteger(_ key: Text) throws(MatrixError) -> Int64? {
    try optional(key, "an integer", \.integer)
  }

  /// Reads a boolean that a request must have.
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it has another type or this is no object.
  public func requireBool(_ key: Text) throws(MatrixError) -> Bool {
    try require(key, "a boolean", \.bool)
  }

  /// Reads a boolean that a request may have; `null` counts as absent.
  /// - Throws: `M_BAD_JSON` if it has another type or this is no object.
  public func optionalBool(_ key: Text) throws(MatrixError) -> Bool? {
    try optional(key, "a boolean", \.bool)
  }

  /// Reads an object that a request must have.
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it has another type or this is no object.
  public func requireObject(_ key: Text) throws(MatrixError) -> JSONValue {
    try require(key, "an object") { $0.kind == .object ? $0 : nil }
  }

  /// Reads an object that a request may have; `null` counts as absent.
  /// - Throws: `M_BAD_JSON` if it has another type or this is no object.
  public func optionalObject(_ key: Text) throws(MatrixError) -> JSONValue? {
    try optional(key, "an object") { $0.kind == .object ? $0 : nil }
  }

  /// Reads an array that a request must have.
  /// - Throws: `M_MISSING_PARAM` if there is none, `M_BAD_JSON` if it has another type or this is no object.
  public func requireArray(_ key: Text) throws(MatrixError) -> JSONElements {
    try require(key, "an array", \.elements)
  }

  /// Reads an array that a request may have; `null` counts as absent.
  /// - Throws: `M_BAD_JSON` if it has another type or this is no object.
  public func optionalArray(_ key: Text) throws(MatrixError) -> JSONElements? {
    try optional(key, "an array", \.elements)
  }
}
