import MatrixPrimitives

extension JSONWriter {
  /// Writes an object whose members `body` writes.
  mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
    beginObject()
    try body(&self)
    endObject()
  }

  /// Writes a member whose value is an array whose elements `body` writes.
  mutating func array(_ key: Text, _ body: (inout JSONWriter) throws -> Void) rethrows {
    self.key(key)
    beginArray()
    try body(&self)
    endArray()
  }
}
