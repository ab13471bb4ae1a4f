import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import ServerConfig
import Stores
import Synchronization

/// Events that are sent later unless somebody takes them back (MSC4140). Any process stores them, the main process sends them.
///
/// https://github.com/matrix-org/matrix-spec-proposals/pull/4140
public final class DelayedEventService: Sendable {
  private let stores: RoomStores
  private let accounts: AccountStore
  private let submitter: EventSubmitter
  private let memberships: MembershipService
  private let config: HomeserverConfig
  private let router: CallRouter
  private let clock: ServerClock
  private let logger: Logger
  private let rateLimiter: RoomRateLimiter
  private let validator: EventContentValidator
  private let alarm = DelayedEventAlarm()
  private let transactions = TransactionRegister<Text>(capacity: 1_024)

  /// The time after which is tried again what failed through no fault of the event, in milliseconds.
  private static let secondTry: Int64 = 10_000

  init(
    stores: RoomStores, accounts: AccountStore, submitter: EventSubmitter, memberships: MembershipService,
    router: CallRouter, rateLimiter: RoomRateLimiter, logger: Logger
  ) {
    self.stores = stores
    self.accounts = accounts
    self.submitter = submitter
    self.memberships = memberships
    self.router = router
    self.rateLimiter = rateLimiter
    self.logger = logger
    (config, clock) = (stores.context.config, stores.context.clock)
    validator = EventContentValidator(serverName: config.serverName)
  }

  // MARK: For clients

  /// Stores an event that is to be sent later. Repeating a transaction id of the same session returns the first one's name, for as long as
  /// this process remembers it.
  ///
  /// - Parameter delay: the time until then, in milliseconds.
  /// - Returns: the name by which the event is changed.
  /// - Throws: `MatrixError` 403 where the configuration allows no delay, 400 for a longer one than it allows and for contents that may
  ///   not be, 404 for unknown rooms, 429 when the user has too many.
  public func add(
    _ draft: DelayedEventStore.Draft, delay: Int64, transactionID: Text?, requester: Requester
  ) async throws -> Text {
    guard let transactionID else { return try await add(draft, delay, requester) }
    let session = requester.deviceID.map { "d" + $0 } ?? requester.accessTokenID.map { "t\($0)" } ?? "-"
    let key = TransactionRegister<Text>.Key(
      userID: requester.userID, session: session, roomID: draft.roomID, transactionID: transactionID,
      path: .send(draft.type))
    return try await transactions.run(key) { try await self.add(draft, delay, requester) }
  }

  private func add(_ draft: DelayedEventStore.Draft, _ delay: Int64, _ requester: Requester) async throws -> Text {
    try await submitter.checkRate(requester)
    guard config.rooms.allowsDelayedEvents else {
      throw MatrixError.forbidden("Sending delayed events has been disallowed")
    }
    guard delay <= config.rooms.longestEventDelayMilliseconds else {
      throw MatrixError(
        .delayTooLarge,
        "The requested delay (\(delay)ms) exceeds the allowed maximum (\(config.rooms.longestEventDelayMilliseconds)ms)"
      )
    }
    guard let version = try await stores.rooms.version(of: draft.roomID) else {
      throw MatrixError.notFound("Could not find room version for \(draft.roomID.rawValue)")
    }
    try validator.check(
      ClientEventDraft(
        roomID: draft.roomID, type: draft.type, stateKey: draft.stateKey, content: draft.content,
        originServerTS: draft.originServerTS), version: version)
    guard ![draft.type, draft.stateKey ?? ""].contains(where: { $0.contains(0) }) else {
      throw MatrixError.invalidParam("U+0000 cannot be part of a type or a state key")
    }
    let id = try await stores.delayedEvents.add(
      draft, user: requester.userID, deviceID: requester.deviceID, delay: delay, now: clock.nowMilliseconds,
      limit: Int64(config.rooms.mostDelayedEvents), position: stores.events.ids.currentToken)
    do {
      if let next = try await stores.delayedEvents.nextSendTS() {
        _ = try await carryOut(AddedDelayedEvent(nextSendTS: next))
      }
    } catch {
      // The client is told that it failed and asks again: what is stored would be sent twice. What cannot be taken back is being sent.
      if try await stores.delayedEvents.cancel(id) { throw error }
    }
    return id
  }

  /// Lists a user's pending events.
  public func entries(of requester: Requester) async throws -> [DelayedEventStore.Entry] {
    try await rateLimiter.check(.delayedEventManagement, requester)
    return try await stores.delayedEvents.entries(of: requester.userID.localpart)
  }

  /// Reads one of a user's pending events.
  ///
  /// - Throws: `MatrixError` 404 when there is none.
  public func entry(_ id: Text, of requester: Requester) async throws -> DelayedEventStore.Entry {
    try await rateLimiter.check(.delayedEventManagement, requester)
    guard let entry = try await stores.delayedEvents.entry(id, of: requester.userID.localpart) else {
      throw Self.unknown
    }
    return entry
  }

  /// What can be done with a pending event by whoever knows its name.
  public enum Action: Text, CaseIterable, Sendable {
    case cancel, restart, send
  }

  /// Changes a pending event. Restarting it works on any process, the rest on the main process.
  ///
  /// - Parameters:
  ///   - requester: who asks, for the limits; nil for a caller without an account.
  ///   - address: the caller's address.
  /// - Throws: `MatrixError` 404 when there is no such event, 429.
  public func change(_ id: Text, _ action: Action, requester: Requester?, address: Text) async throws {
    try await rateLimiter.check(.delayedEventManagement, requester ?? Requester(userID: UserID(unchecked: address)))
    switch action {
    case .cancel:
      guard try await stores.delayedEvents.cancel(id) else { throw Self.unknown }
    case .restart:
      guard try await stores.delayedEvents.restart(id, now: clock.nowMilliseconds) else { throw Self.unknown }
    case .send:
      // In a task of its own: a request whose time is over must not leave an event that is taken, and then neither sent nor removed.
      try await Task {
        guard let entry = try await self.stores.delayedEvents.take(id) else { throw Self.unknown }
        try await self.send(entry, now: nil)
      }.value
    }
    alarm.ring()
  }

  private static let unknown = MatrixError.notFound("Delayed event not found")

  /// Cancels all events of a user whose account is closed.
  public func cancelAll(of user: UserID) async throws {
    _ = try await router.perform(CancelDelayedEvents(localpart: user.localpart)) { try await self.carryOutLocally($0) }
  }

  // MARK: Calls

  /// The calls by which other processes tell the main process of what they have stored.
  var calls: [ServedCall] {
    [
      ServedCall(AddedDelayedEvent.self) { call in
        self.alarm.ring()
        return EmptyAnswer()
      },
      ServedCall(CancelDelayedEvents.self) { try await self.carryOutLocally($0) },
    ]
  }

  private func carryOut(_ call: AddedDelayedEvent) async throws -> EmptyAnswer {
    try await router.perform(call) { _ in
      alarm.ring()
      return EmptyAnswer()
    }
  }

  private func carryOutLocally(_ call: CancelDelayedEvents) async throws -> EmptyAnswer {
    guard !call.localpart.contains(0) else { return EmptyAnswer() }
    try await stores.delayedEvents.cancelAll(of: call.localpart)
    alarm.ring()
    return EmptyAnswer()
  }

  // MARK: Sending

  /// Sends what is due, until cancelled; does nothing but on the main process.
  func run() async {
    guard config.isMainProcess else { return }
    alarm.follow(stores.context.hub)
    var isFirst = true
    while !Task.isCancelled {
      var pause: Int64? = nil
      do {
        pause = try await work(again: isFirst)
        isFirst = false
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Delayed events could not be sent", metadata: ["error": "\(error)"])
        pause = Self.secondTry
      }
      await alarm.wait(milliseconds: pause)
    }
  }

  /// Cancels what was overtaken, and sends what is due.
  ///
  /// - Returns: the time until the next event is due; nil when there is none.
  private func work(again: Bool) async throws -> Int64? {
    guard again || alarm.mayHavePending else { return nil }
    try await stores.delayedEvents.cancelOvertaken(
      upTo: stores.events.ids.currentToken, serverName: config.serverName)
    for entry in try await stores.delayedEvents.takeDue(now: clock.nowMilliseconds, again: again) {
      do {
        try await send(entry, now: entry.sendTS)
      } catch {
        logger.warning("A delayed event was not sent: \(error)", metadata: ["delay_id": "\(entry.id)"])
      }
    }
    let next = try await stores.delayedEvents.nextSendTS()
    alarm.note(hasPending: next != nil)
    return next.map { max($0 - clock.nowMilliseconds, 1) }
  }

  /// Sends an event that was taken, and removes it. What is refused is never tried again.
  ///
  /// The event's name serves as transaction id, so that it is sent once although the process ends between the two.
  /// - Parameter now: the time to put into the event when none was asked for; nil for the present.
  private func send(_ entry: DelayedEventStore.Entry, now: Int64?) async throws {
    do {
      try await submit(entry, now)
    } catch let error as MatrixError where error.status < 500 && error.status != 429 {
      try await stores.delayedEvents.finish(entry.id)
      throw error
    } catch {
      try await stores.delayedEvents.postpone(entry.id, until: clock.nowMilliseconds + Self.secondTry)
      throw error
    }
    try await stores.delayedEvents.finish(entry.id)
  }

  private func submit(_ entry: DelayedEventStore.Entry, _ now: Int64?) async throws {
    let user = UserID(unchecked: "@\(entry.localpart):\(config.serverName)")
    let account = try await accounts.account(user)
    if account?.isDeactivated == true { throw MatrixError.forbidden("The account has been deactivated") }
    // What a shadow-banned user sends goes nowhere, now or later; waiting, as for those who ask, would hold up the others.
    if account?.isShadowBanned == true { return }
    let requester = Requester(userID: user, deviceID: entry.deviceID, isGuest: account?.isGuest ?? false)
    let time = entry.draft.originServerTS ?? now
    let draft = entry.draft
    if draft.type == EventType.member, let target = draft.stateKey {
      guard let membership = draft.content["membership"]?.string,
        let action = MembershipAction(membership: membership)
      else { throw MatrixError.badJSON("Invalid membership key") }
      var change = MembershipRequest(
        roomID: draft.roomID, target: try UserID(checking: target), action: action,
        content: draft.content.members ?? [:], transactionID: entry.id, ratelimit: false, originServerTS: time)
      change.delayID = entry.id
      try await memberships.change(change, requester: requester)
    } else {
      var event = ClientEventDraft(
        roomID: draft.roomID, type: draft.type, stateKey: draft.stateKey, content: draft.content,
        transactionID: entry.id, originServerTS: time,
        redacts: draft.content["redacts"]?.string.flatMap { EventID($0) })
      event.delayID = entry.id
      _ = try await submitter.submit(event, requester: requester, ratelimit: false)
    }
  }
}

/// An event that waits for its time.
public typealias PendingDelayedEvent = DelayedEventStore.Entry

/// An event that is to be sent later.
public typealias DelayedEventDraft = DelayedEventStore.Draft
