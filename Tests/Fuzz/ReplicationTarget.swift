import MatrixPrimitives
import Replication

/// The target that reads a line as a process reads it from Redis, with the row that it may carry, and writes what was
/// read.
enum ReplicationTarget {
  static func run(_ bytes: [UInt8]) throws {
    guard let command = try? ReplicationCommand(line: bytes) else { return }
    if let written = try written(command, from: bytes) {
      try BrokenProperty.require(
        (try? ReplicationCommand(line: written)) == command, "a command that is written and read again is the same")
      try BrokenProperty.require(!written.contains(0x0A), "a command is one line")
    }
    guard case .rdata(let stream, _, _, let row) = command, let json = try? JSONValue.parse(row),
      let read = try? StreamRow(stream: stream, json: json)
    else { return }
    let again = try? StreamRow(stream: stream, json: JSONValue.parse(read.encoded))
    try BrokenProperty.require(again == read, "a row that is written and read again is the same")
  }

  /// Nothing but white space and control characters in a word keeps a command from being written.
  private static func written(_ command: ReplicationCommand, from bytes: [UInt8]) throws -> [UInt8]? {
    do {
      return try command.encode()
    } catch {
      try BrokenProperty.require(bytes.contains { $0 < 0x20 }, "what was read can be written: \(error)")
      return nil
    }
  }
}
