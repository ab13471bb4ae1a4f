import MatrixPrimitives

/// One call between processes, `POST /_synapse/replication/<name>/<arguments>/<transaction id>`, in both directions.
///
/// A conforming type describes the wire: the process that asks writes it, the process that is asked reads it. What is done belongs to a
/// service, which makes calls through ``CallRouter`` and lists those that it carries out as ``ServedCall``.
public protocol ReplicationCall: Sendable {
  /// What the process that is asked answers.
  associatedtype Answer: ReplicationAnswer

  /// The first path segment after `/_synapse/replication/`.
  static var name: Text { get }
  /// The names of the path segments that follow, in order.
  static var argumentNames: [Text] { get }
  /// Whether the path ends in a transaction id, under which the answer is kept: repeating the call is safe then.
  static var isCached: Bool { get }
  /// Whether only the main process has the endpoint.
  static var isServedByMainOnly: Bool { get }
  /// The path segments after the name, not encoded.
  var arguments: [Text] { get }
  /// The process that carries the call out.
  var destination: CallDestination { get }

  /// Writes the members of the body, without its braces.
  func writeMembers(to writer: inout JSONWriter) throws

  /// Reads a call.
  /// - Parameters:
  ///   - arguments: the path segments by name, decoded.
  ///   - body: an object, which also carries the caller's positions.
  /// - Throws: `MatrixError` 400 when the call does not have the form.
  init(arguments: CallArguments, body: JSONValue) throws
}

extension ReplicationCall {
  /// Whether only the main process has the endpoint: no.
  public static var isServedByMainOnly: Bool { false }

  /// Writes nothing: the body is `{}`.
  public func writeMembers(to writer: inout JSONWriter) {}
}

/// The answer to a call, an object.
public protocol ReplicationAnswer: Sendable {
  /// Reads an answer.
  /// - Throws: `MatrixError` when it does not have the form.
  init(answer: JSONValue) throws

  /// Writes the members of the answer, without its braces.
  func writeMembers(to writer: inout JSONWriter)
}

/// The process that carries a call out.
public enum CallDestination: Sendable, Hashable {
  /// The main process.
  case main
  /// Any writer of a stream.
  case writer(of: StreamName)
  /// The writer of a stream that comes first in the configuration.
  case firstWriter(of: StreamName)
  /// The writer of a stream to which a key belongs, such as a room's id for events.
  case shard(of: StreamName, key: Text)
}

/// The path segments of a call by name, decoded.
public struct CallArguments: Sendable {
  private let find: @Sendable (Text) throws(MatrixError) -> Text

  /// Takes the lookup.
  /// - Parameter find: finds a segment; throws when there is none of the name.
  public init(_ find: @escaping @Sendable (_ name: Text) throws(MatrixError) -> Text) { self.find = find }

  /// Finds a segment.
  /// - Throws: `MatrixError` 400 when there is none.
  public func text(_ name: Text) throws(MatrixError) -> Text { try find(name) }

  /// Reads a segment as an identifier.
  /// - Throws: `MatrixError` 400 when it is none.
  public func identifier<ID: MatrixIdentifier>(_ name: Text) throws(MatrixError) -> ID {
    try ID(checking: try find(name))
  }
}
