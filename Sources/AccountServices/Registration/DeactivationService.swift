import Logging
import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// The permanent closing of accounts.
///
/// The account itself is closed in one transaction, by whatever process is asked. Its rooms are left afterwards by the main process,
/// which begins with what is still to be done when it starts (`users_pending_deactivation`).
public final class DeactivationService: Sendable {
  private let config: HomeserverConfig
  private let store: DeactivationStore
  private let devices: DeviceService
  private let pushers: PusherService
  private let router: CallRouter
  private let logger: Logger
  private let leaveAllRooms: AccountServices.RoomHooks.Departure
  private let signals: AsyncStream<Void>
  private let signal: AsyncStream<Void>.Continuation

  init(
    config: HomeserverConfig, store: DeactivationStore, devices: DeviceService, pushers: PusherService,
    router: CallRouter, logger: Logger,
    leaveAllRooms: @escaping AccountServices.RoomHooks.Departure
  ) {
    self.config = config
    self.store = store
    self.devices = devices
    self.pushers = pushers
    self.router = router
    self.logger = logger
    self.leaveAllRooms = leaveAllRooms
    (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Deactivates an account: no password, no sessions, no data of its own, and soon no rooms. The ID can never be registered again.
  ///
  /// - Parameter erases: whether the profile goes too, and messages are hidden from those who were not in the room with them.
  public func deactivate(_ user: UserID, erases: Bool) async throws {
    let ended = try await store.deactivate(user, erases: erases)
    await announce(user)
    try await pushers.removeAll(of: user)
    try await devices.changed(ended, of: user)
  }

  /// Has the main process leave the rooms of deactivated users.
  private func announce(_ user: UserID) async {
    do {
      let call = AccountDeactivated(userID: user, isByAdministrator: false)
      _ = try await router.perform(call, here: leaveRooms)
    } catch {
      logger.warning("The main process will learn of the deactivation of \(user) later: \(error)")
    }
  }

  /// The call by which workers have the main process leave rooms.
  var calls: [ServedCall] { [ServedCall(AccountDeactivated.self) { self.leaveRooms($0) }] }

  private func leaveRooms(_ call: AccountDeactivated) -> EmptyAnswer {
    leaveRooms()
    return EmptyAnswer()
  }

  /// Begins to leave the rooms of deactivated users, unless that is under way. On the main process.
  private func leaveRooms() { signal.yield() }

  /// Leaves rooms whenever there are some to leave, and looks for forgotten ones at the start and every minute, until cancelled.
  func run() async {
    guard config.isMainProcess else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [self] in
        while !Task.isCancelled {
          leaveRooms()
          try? await Beat.wait(seconds: 60)  // cancelled: the loop ends
        }
      }
      group.addTask { [self] in
        for await _ in signals { await leavePending() }
      }
    }
  }

  private func leavePending() async {
    do {
      for user in try await store.pending() where !Task.isCancelled {
        if await leaveAllRooms(user) { try await store.finish(user) }
      }
    } catch {
      logger.warning("The rooms of deactivated users are left later: \(error)")
    }
  }
}
