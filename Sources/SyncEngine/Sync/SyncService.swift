import Logging
import MatrixPrimitives
import Postgres
import Replication
import RoomServices
import StorageEngine
import Stores

/// The answer to `/sync`: collects what is new for a device, waits for news when there is none, and writes the
/// response.
public final class SyncService: Sendable {
  let stores: SyncStores
  let rooms: RoomServices
  let readers: SyncReaders
  let notifier: Notifier
  let tokens: CurrentTokens
  let settings: SyncSettings
  let lazyMembers: LazyMemberCaches
  let clock: ServerClock
  private let answers: SharedAnswers<SyncRequest.Key, SyncResult>
  private let logger: Logger

  /// The longest wait for other processes' rows that a token presupposes.
  private static let catchUpTimeout = Duration.seconds(10)

  init(
    stores: SyncStores, rooms: RoomServices, readers: SyncReaders, notifier: Notifier, tokens: CurrentTokens,
    settings: SyncSettings, clock: ServerClock, logger: Logger
  ) {
    self.stores = stores
    self.rooms = rooms
    self.readers = readers
    self.notifier = notifier
    self.tokens = tokens
    self.settings = settings
    self.clock = clock
    self.logger = logger
    lazyMembers = LazyMemberCaches(clock: clock)
    answers = SharedAnswers(clock: clock, lifetimeMilliseconds: settings.answerLifetimeMilliseconds) {
      ($0.since?.utf8.count ?? 0) + ($0.filter?.utf8.count ?? 0)
    }
  }

  /// Begins to work on the body of the response.
  ///
  /// Equal requests share one computation, and an answer with news is given again to the same request for a while, unless the user has
  /// changed something meanwhile.
  /// - Parameters:
  ///   - request: the request.
  ///   - completion: called once, on whatever thread: the body, `CancellationError` after the request was given up, or an error of the
  ///     database.
  /// - Returns: what gives the request up.
  /// - Throws: errors of the database.
  public func begin(
    _ request: SyncRequest, completion: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
  ) async throws -> @Sendable () -> Void {
    let ignoredList = request.since == nil ? try await ignoredListPosition(of: request.requester.userID) : 0
    let key = request.key(ignoredList: ignoredList)
    return answers.answer(key, then: completion, again: repetition(request, key), compute: poll(request))
  }

  private func poll(_ request: SyncRequest) -> SharedAnswers<SyncRequest.Key, SyncResult>.Computation {
    { [self] end in
      let poll = SyncPoll(self, request, end: end)
      return { poll.cancel() }
    }
  }

  private func repetition(
    _ request: SyncRequest, _ key: SyncRequest.Key
  ) -> SharedAnswers<SyncRequest.Key, SyncResult>.Repetition {
    { [self] earlier, completion in
      let task = Task {
        do { completion(.success(try await answer(request, key, again: earlier))) } catch {
          completion(.failure(error))
        }
      }
      return { task.cancel() }
    }
  }

  /// Answers a request as an equal one before, or anew when that would hide what the user has done since.
  private func answer(_ request: SyncRequest, _ key: SyncRequest.Key, again earlier: SyncResult) async throws -> [UInt8]
  {
    if let result = try await SyncComputation(self, request, since: request.since).renewed(earlier) {
      return try await SyncResponseWriter(service: self, request: request).body(of: result)
    }
    answers.forget(key)
    return try await answers.answer(key, again: repetition(request, key), compute: poll(request))
  }

  /// Answers a request that does not want to wait when nothing at all has happened since its token, without any computation.
  ///
  /// - Returns: nil when something has happened, for the user or for others: ``begin(_:completion:)`` finds out.
  /// - Throws: errors of the database.
  public func answerWithoutNews(_ request: SyncRequest) async throws -> [UInt8]? {
    guard let since = request.since, request.timeoutMilliseconds == 0, !request.wantsFullState else { return nil }
    let now = tokens.current()
    guard since.isLevel(with: now) else { return nil }
    if let device = request.requester.deviceID, since.toDevice > 0 {
      try await stores.toDevice.deleteMessages(for: request.requester.userID, device: device, upTo: since.toDevice)
    }
    let result = try await SyncComputation(self, request, since: now).emptyResult()
    return try await SyncResponseWriter(service: self, request: request).body(of: result)
  }

  private func ignoredListPosition(of user: UserID) async throws -> Int64 {
    try await stores.accountData.data(of: user).global[AccountDataStore.ignoredUserList]?.streamID ?? 0
  }

  /// Marks where a user's changes are, before they are looked at.
  func mark(of user: UserID) async throws -> Notifier.Mark {
    try await notifier.begin(user) { [stores] in
      try await stores.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    }
  }

  /// Makes ready what the client's token asks for.
  ///
  /// - Returns: also whether this process has seen in time all that the token presupposes.
  func computation(_ request: SyncRequest) async throws -> (SyncComputation, isCaughtUp: Bool) {
    guard let asked = request.since else { return (SyncComputation(self, request, since: nil), true) }
    let since = try await bounded(asked)
    guard await waitUntilReached(since) else {
      logger.warning("streams did not catch up with a sync token in time")
      return (SyncComputation(self, request, since: since), false)
    }
    if let device = request.requester.deviceID, since.toDevice > 0 {
      try await stores.toDevice.deleteMessages(for: request.requester.userID, device: device, upTo: since.toDevice)
    }
    return (SyncComputation(self, request, since: since), true)
  }

  // MARK: Tokens

  /// Cuts a token down to what the database has ever handed out, when it is ahead of this process.
  func bounded(_ token: StreamToken) async throws -> StreamToken {
    guard !token.isReached(by: tokens.current()) else { return token }
    return token.bounded(by: try await stores.sync.lastHandedOut())
  }

  /// Waits until this process has seen all rows that a token presupposes.
  func waitUntilReached(_ token: StreamToken) async -> Bool {
    let deadline = ContinuousClock.now + Self.catchUpTimeout
    while true {
      let mark = notifier.positionMark()
      if token.isReached(by: tokens.current()) { return true }
      guard case .changed = await notifier.waitForPosition(after: mark, until: deadline) else { return false }
    }
  }
}
