/// Parsed JSON: the immutable source bytes and a flat tape of the values in them.
///
/// Values are views into the document (`JSONValue`), so nothing is copied until a string or a tree is asked for.
public final class JSONDocument: Sendable {
  /// The source text, exactly as it was parsed.
  public let bytes: [UInt8]
  let nodes: JSONTape

  init(bytes: [UInt8], nodes: JSONTape) {
    self.bytes = bytes
    self.nodes = nodes
  }

  /// The outermost value.
  public var root: JSONValue { JSONValue(document: self, index: 0) }

  /// The greatest depth of what clients send.
  public static let receivedDepth = 100

  /// The greatest depth of what was stored, or comes from another process of this server.
  ///
  /// Synapse accepts events of up to about a thousand levels, and around an event there are a few more: those of a call between
  /// processes, or of what an invitation shows of the room. Trees are walked by recursion, so the stack bounds it.
  public static let storedDepth = 1100

  /// Parses a whole text strictly by RFC 8259 and validates its UTF-8.
  ///
  /// Of a key that occurs twice, lookups give the last value. Integers that do not fit 64 bits become doubles.
  /// - Parameters:
  ///   - bytes: the text, at most 2^31 − 1 bytes.
  ///   - maximumDepth: how many containers may be open at once.
  /// - Throws: `JSONError` with the offset of the first offence.
  public static func parse(
    _ bytes: [UInt8], maximumDepth: Int = receivedDepth
  ) throws(JSONError) -> JSONDocument {
    let nodes = try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
      try JSONTapeParser.parse(buffer, maximumDepth: maximumDepth)
    }
    return JSONDocument(bytes: bytes, nodes: nodes)
  }
}
