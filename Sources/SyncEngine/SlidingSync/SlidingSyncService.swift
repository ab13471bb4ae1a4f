import MatrixPrimitives
import RoomServices
import Stores

/// The answer to a sliding sync.
public enum SlidingSyncAnswer: Sendable {
  /// A closure that takes the pieces of an answer in order, and throws when the client has gone.
  public typealias Sending = (_ piece: [UInt8]) async throws -> Void

  /// The body.
  case whole([UInt8])
  /// A body that is made piece by piece while it is sent: the rooms of a large answer are never in memory all at once.
  case pieces(@Sendable (_ send: Sending) async throws -> Void)
}

/// Simplified sliding sync (MSC4186) as Synapse 1.163.2 has it: clients look at windows on lists of rooms, and get of each room what they have not been sent.
///
/// `Docs/sliding-sync.md` describes the design.
public final class SlidingSyncService: Sendable {
  /// What the configuration says about sliding sync.
  struct Settings: Sendable {
    /// Whether subscriptions to threads are sent (`experimental_features.msc4306_enabled`).
    var hasThreadSubscriptions = false
  }

  let sync: SyncService
  let connections: SlidingConnectionStore
  let slidingRooms: SlidingRoomStore
  let settings: Settings

  var stores: SyncStores { sync.stores }
  var readers: SyncReaders { sync.readers }
  var rooms: RoomServices { sync.rooms }

  init(sync: SyncService, connections: SlidingConnectionStore, rooms: SlidingRoomStore, settings: Settings) {
    self.sync = sync
    self.connections = connections
    slidingRooms = rooms
    self.settings = settings
  }

  /// Reads the token that a client comes with.
  ///
  /// - Throws: `MatrixError` 400 when the text is none.
  public func token(_ text: Text?) async throws -> SlidingToken? {
    guard let text else { return nil }
    return try await SlidingToken.parse(text, directory: stores.instances)
  }

  /// Begins to work on an answer.
  ///
  /// - Parameters:
  ///   - request: the request.
  ///   - completion: called once, on whatever thread: the answer, `CancellationError` after the request was given up, `M_UNKNOWN_POS` when the client's
  ///     position is gone, or an error of the database.
  /// - Returns: what gives the request up.
  public func begin(
    _ request: SlidingSyncRequest, completion: @escaping @Sendable (Result<SlidingSyncAnswer, any Error>) -> Void
  ) -> @Sendable () -> Void {
    let poll = SlidingSyncPoll(self, request, end: completion)
    return { poll.cancel() }
  }

  /// Makes ready what the client's token asks for.
  ///
  /// - Returns: nil when this process has not seen in time all that the token presupposes.
  /// - Throws: `M_UNKNOWN_POS` when the position is not this connection's, or no more.
  func computation(_ request: SlidingSyncRequest) async throws -> SlidingComputation? {
    guard let asked = request.from else {
      return SlidingComputation(service: self, request: request, place: connections.beginning(), from: nil)
    }
    let from = try await sync.bounded(asked.streams)
    guard await sync.waitUntilReached(from) else { return nil }
    var place = connections.beginning()
    if asked.position != 0 {
      guard let known = try await connections.place(request.connection, at: asked.position) else {
        throw MatrixError.unknownPosition()
      }
      place = known
    }
    return SlidingComputation(service: self, request: request, place: place, from: from)
  }

  /// Answers with the client's own token and nothing else, as a process does that could not catch up.
  func answerWithoutRooms(_ request: SlidingSyncRequest) async throws -> SlidingSyncAnswer {
    let token = try await request.from?.text(directory: stores.instances) ?? ""
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("pos", token)
      writer.object("rooms") { _ in }
      writer.object("extensions") { _ in }
    }
    return .whole(writer.bytes)
  }
}

extension MatrixError {
  /// Makes a 400 that has the client begin its connection anew.
  static func unknownPosition() -> MatrixError { MatrixError(.unknownPosition, "Unknown position") }
}
