import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import ServerConfig
import Stores

/// The acceptance of invitations in the name of those invited (`auto_accept_invites`), on the process that the setting names.
final class InvitationAcceptance: Sendable {
  private let rooms: RoomServices
  private let stores: RoomStores
  private let accounts: AccountStore
  private let accountData: AccountDataService
  private let accountDataStore: AccountDataStore
  private let logger: Logger
  private let invitations: AsyncStream<EventID>
  private let incoming: AsyncStream<EventID>.Continuation

  /// The invitations that wait at most; beyond, the newest are left to those invited.
  private static let mostWaiting = 10_000
  private static let attempts = 5

  init(
    rooms: RoomServices, stores: RoomStores, accounts: AccountStore, accountData: AccountDataService,
    accountDataStore: AccountDataStore, logger: Logger
  ) {
    self.rooms = rooms
    self.stores = stores
    self.accounts = accounts
    self.accountData = accountData
    self.accountDataStore = accountDataStore
    self.logger = logger
    (invitations, incoming) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.mostWaiting))
  }

  private var settings: InviteAcceptanceSettings { stores.config.rooms.inviteAcceptance }

  private var isWanted: Bool {
    settings.isEnabled && (settings.workerName ?? HomeserverConfig.mainInstanceName) == stores.context.hub.instanceName
  }

  /// Listens for invitations; before the hub runs.
  func register() {
    guard isWanted else { return }
    let suffix = ":" + stores.config.serverName
    stores.context.hub.subscribe(.events) { [incoming] batch in
      for case .event(let event) in batch.rows
      where event.membership == "invite" && !event.isRejected && event.stateKey?.hasSuffix(suffix) == true {
        incoming.yield(event.eventID)
      }
    }
  }

  /// Accepts invitations until cancelled.
  func run() async {
    for await id in invitations {
      do {
        try await consider(id)
      } catch {
        logger.warning("An invitation was not accepted: \(error)", metadata: ["event_id": "\(id.rawValue)"])
      }
    }
  }

  private func consider(_ id: EventID) async throws {
    guard let invitation = try await stores.events.event(id), let name = invitation.stateKey else { return }
    let (invited, inviter) = (UserID(unchecked: name), invitation.sender)
    let isDirect = invitation.content["is_direct"]?.bool ?? false
    if settings.onlyDirect, !isDirect { return }
    if settings.onlyFromLocalUsers, inviter.serverName != stores.config.serverName { return }
    guard let account = try await accounts.account(invited), !account.isDeactivated, !account.isSuspended,
      !account.isLocked
    else { return }
    try await join(invited, invitation.roomID)
    if isDirect { try await noteDirect(invitation.roomID, with: inviter, for: invited) }
  }

  private func join(_ user: UserID, _ room: RoomID) async throws {
    for attempt in 1... {
      do {
        try await rooms.memberships.change(
          MembershipRequest(roomID: room, target: user, action: .join, ratelimit: false),
          requester: Requester(userID: user))
        return
      } catch let error as MatrixError where error.status < 500 || attempt >= Self.attempts {
        throw error
      } catch  where attempt >= Self.attempts {
        throw error
      } catch {
        try await Task.sleep(for: .seconds(1 << attempt))
      }
    }
  }

  /// Adds the room to those that the user counts as talks with the other one.
  private func noteDirect(_ room: RoomID, with other: UserID, for user: UserID) async throws {
    let stored = try await accountDataStore.data(of: user).global[AccountDataStore.directRooms]
    var members = try stored.map { try JSON.parse($0.content).members ?? [:] } ?? [:]
    let known = members[other.rawValue]?.elements ?? []
    guard !known.contains(.string(room.rawValue)) else { return }
    members[other.rawValue] = .array(known + [.string(room.rawValue)])
    try await accountData.set(
      user, type: AccountDataStore.directRooms, content: try JSON.object(members).document())
  }
}
