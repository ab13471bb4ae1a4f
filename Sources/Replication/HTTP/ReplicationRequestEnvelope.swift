import MatrixPrimitives

/// The stream positions in the bodies of calls between processes.
///
/// A request carries `"_INT_STREAM_POS": {"streams": {name: token}, "instance_name": caller}`, an answer carries
/// `"_INT_STREAM_POS": {name: token}`. Observed on Synapse's wire.
public struct ReplicationRequestEnvelope: Sendable, Equatable {
  static let key = "_INT_STREAM_POS"

  /// The caller's name.
  public let instanceName: Text
  /// The caller's minimal positions by stream name.
  public let positions: [Text: Int64]

  /// Reads the positions from the body of a request.
  /// - Parameter body: the body, an object.
  /// - Returns: nil when the body carries none, which is allowed.
  /// - Throws: `MatrixError` 400 when the member has another shape.
  public static func read(_ body: JSONValue) throws(MatrixError) -> ReplicationRequestEnvelope? {
    guard let member = body[key] else { return nil }
    guard let streams = member["streams"]?.members, let instance = member["instance_name"]?.string else {
      throw MatrixError.badJSON("\(key) must hold streams and instance_name")
    }
    return ReplicationRequestEnvelope(instanceName: instance, positions: integers(streams))
  }

  /// Waits until this process has seen what the caller had seen of its own streams, at most 5 s a stream.
  /// - Parameter positions: waits for positions.
  public func wait(_ positions: ReplicationPositions) async {
    await positions.wait(instanceName, self.positions)
  }

  /// Adds the own positions to a finished answer.
  /// - Parameters:
  ///   - answer: bytes of a JSON object.
  ///   - positions: minimal own positions by stream name.
  /// - Returns: the object with `_INT_STREAM_POS`; the bytes unchanged when they are no object.
  public static func seal(_ answer: [UInt8], positions: [Text: Int64]) -> [UInt8] {
    guard let open = answer.firstIndex(where: { !isSpace($0) }), answer[open] == UInt8(ascii: "{"),
      let close = answer.lastIndex(where: { !isSpace($0) }), close > open, answer[close] == UInt8(ascii: "}")
    else { return answer }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key(key)
    write(positions, to: &writer)
    writer.endObject()
    let isEmpty = answer[(open + 1)..<close].allSatisfy(isSpace)
    var sealed = Array(answer[...open])
    sealed.append(contentsOf: writer.bytes.dropFirst().dropLast())
    if !isEmpty { sealed.append(UInt8(ascii: ",")) }
    sealed.append(contentsOf: answer[(open + 1)...close])
    return sealed
  }

  static func write(instanceName: Text, positions: [Text: Int64], to writer: inout JSONWriter) {
    writer.key(key)
    writer.beginObject()
    writer.key("streams")
    write(positions, to: &writer)
    writer.member("instance_name", instanceName)
    writer.endObject()
  }

  static func positions(inAnswer answer: JSONValue) -> [Text: Int64] {
    answer[key]?.members.map(integers) ?? [:]
  }

  private static func write(_ positions: [Text: Int64], to writer: inout JSONWriter) {
    writer.beginObject()
    for (stream, token) in positions.sorted(by: { $0.key < $1.key }) { writer.member(stream, token) }
    writer.endObject()
  }

  private static func integers(_ members: JSONMembers) -> [Text: Int64] {
    var integers: [Text: Int64] = [:]
    for member in members { integers[member.key] = member.value.integer }
    return integers
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
