import MatrixPrimitives
import Replication

/// The wire form of a call between processes, for tests that compare it with what other processes expect.
public struct CallForm<Call: ReplicationCall>: Sendable {
  /// The name and the arguments, not encoded, divided by slashes.
  public let path: Text
  /// The body.
  public let body: Text
  private let arguments: [Text]

  /// Writes a call.
  public init(_ call: Call) throws {
    arguments = call.arguments
    path = ([Call.name] + arguments).joined(separator: "/")
    var writer = JSONWriter()
    writer.beginObject()
    try call.writeMembers(to: &writer)
    writer.endObject()
    body = Text(decoding: writer.bytes, as: UTF8.self)
  }

  /// Reads the call as the process that is asked does.
  public func read() throws -> Call { try Self.read(arguments, body) }

  /// Reads a call from arguments and a body.
  public static func read(_ arguments: [Text], _ body: Text) throws -> Call {
    let names = Dictionary(zip(Call.argumentNames, arguments)) { $1 }
    let find = CallArguments { name throws(MatrixError) in
      guard let value = names[name] else { throw .missingParam("Missing path parameter \(name)") }
      return value
    }
    return try Call(arguments: find, body: try JSONValue.parse(body))
  }
}

extension ReplicationAnswer {
  /// The answer as it is sent.
  public var form: Text {
    var writer = JSONWriter()
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
    return Text(decoding: writer.bytes, as: UTF8.self)
  }
}
