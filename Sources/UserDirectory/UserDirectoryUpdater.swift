import Logging
import MatrixEvents
import MatrixPrimitives
import Stores

/// The upkeep of the user directory by the state of rooms, on the process that the configuration names for it.
///
/// Members are made to agree with the rooms as they are, not as a change says, so nothing goes wrong when a change is met twice. What local users
/// are called is written with their profile (`ProfileStore`) and not here.
public final class UserDirectoryUpdater: Sendable {
  private static let types = [EventType.member, EventType.joinRules, EventType.historyVisibility]
  /// The number of changes that are read at once.
  private static let batchSize = 500
  /// The number of members that are updated at once: each one of a private room makes a pair with every other member.
  private static let (openAtOnce, closedAtOnce) = (500, 20)
  /// After which time the profile of a user of another server, whose name in a private room has changed, is asked for.
  private static let profileAgeMilliseconds: Int64 = 60_000

  private let stores: DirectoryStores
  private let follower: StateFollower?
  private let clock: ServerClock

  /// Makes the updater, before the hub runs.
  public init(stores: DirectoryStores, logger: Logger) {
    self.stores = stores
    clock = stores.context.clock
    follower =
      stores.context.config.duties.updatesUserDirectory
      ? StateFollower("user directory", hub: stores.context.hub, logger: logger) : nil
  }

  /// Keeps the directory right, until cancelled; does nothing on a process without the duty.
  public func run() async {
    await follower?.run { [self] in try await pass() }
  }

  /// Takes in everything that is known by now.
  public func pass() async throws {
    // Without a position the directory is being filled, which ends with one.
    while let position = try await stores.userDirectory.position() {
      let end = stores.events.currentToken().stream
      guard position < end else { return }
      let batch = try await stores.events.stateDeltaBatch(
        after: position, upTo: end, types: Self.types, limit: Self.batchSize)
      try await take(batch.deltas)
      // Somebody else who has moved it has filled the directory anew, or is about to: what is here is right all the same.
      _ = try await stores.userDirectory.advance(from: position, to: batch.reached)
    }
  }

  private func take(_ deltas: [StateDelta]) async throws {
    var members: [UserDirectoryStore.Member] = []
    var strangers: [EventID] = []
    var reopened: Set<RoomID> = []
    for delta in deltas {
      guard delta.key.type == EventType.member else {
        if delta.key.stateKey.isEmpty { reopened.insert(delta.roomID) }
        continue
      }
      guard let user = UserID(delta.key.stateKey) else { continue }
      members.append(UserDirectoryStore.Member(roomID: delta.roomID, userID: user))
      if user.serverName != stores.context.config.serverName, let event = delta.eventID { strangers.append(event) }
    }
    guard !members.isEmpty || !reopened.isEmpty else { return }
    let rooms = reopened.union(members.map(\.roomID))
    let open = Set(try await stores.userDirectory.openness(of: Array(rooms)).filter(\.value).keys)
    // What a user of another server is called comes before the user is found through a room, and goes with the last one.
    try await stores.userDirectory.noteRemoteProfiles(
      strangers, open: open, retryMilliseconds: clock.nowMilliseconds + Self.profileAgeMilliseconds)
    try await update(Set(members), open: open)
    for room in reopened { try await stores.userDirectory.reindex(room, isOpen: open.contains(room)) }
  }

  private func update(_ members: Set<UserDirectoryStore.Member>, open: Set<RoomID>) async throws {
    for (some, size) in [
      (members.filter { open.contains($0.roomID) }, Self.openAtOnce),
      (members.filter { !open.contains($0.roomID) }, Self.closedAtOnce),
    ] {
      let all = Array(some)
      for start in stride(from: 0, to: all.count, by: size) {
        try await stores.userDirectory.update(Array(all[start..<min(start + size, all.count)]), open: open)
      }
    }
  }
}
