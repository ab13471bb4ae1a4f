extension JSONWriter {
  /// Writes an object whose members `body` writes.
  public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
    beginObject()
    try body(&self)
    endObject()
  }

  /// Writes a member whose value is an object whose members `body` writes.
  public mutating func object(_ key: Text, _ body: (inout JSONWriter) throws -> Void) rethrows {
    self.key(key)
    try object(body)
  }

  /// Writes a member whose value is an array whose elements `body` writes.
  public mutating func array(_ key: Text, _ body: (inout JSONWriter) throws -> Void) rethrows {
    self.key(key)
    beginArray()
    try body(&self)
    endArray()
  }
}
