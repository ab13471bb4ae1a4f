import Logging
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores

/// The rooms that new users join of themselves (`auto_join_rooms`). What fails is logged and keeps nobody from registering.
public struct AutomaticJoins: Sendable {
  let stores: RoomStores
  let accounts: AccountStore
  let memberships: MembershipService
  let creation: RoomCreationService
  let directory: DirectoryService
  let logger: Logger

  private var settings: RegistrationSettings { stores.config.registration }

  /// Has a new user join; the first user of all has the rooms created.
  public func welcome(_ user: UserID, isGuest: Bool) async {
    guard !settings.autoJoinRooms.isEmpty, !isGuest || settings.autoJoinsGuests else { return }
    let creates: Bool
    do {
      creates = settings.createsAutoJoinRooms ? try await accounts.isOnlyPerson(user) : false
    } catch {
      logger.warning("\(user) joins no rooms: \(error)")
      return
    }
    for alias in settings.autoJoinRooms {
      do {
        if creates, alias.serverName == stores.config.serverName {
          try await create(alias, for: user)
        } else {
          try await join(alias, user)
        }
      } catch {
        logger.warning("\(user) could not join \(alias.rawValue) of themself: \(error)")
      }
    }
  }

  /// Acts in the server's name, so that nothing that binds the user does.
  private func acting(as user: UserID) -> Requester {
    Requester(userID: user, authenticatedEntity: stores.config.serverName)
  }

  private func change(_ action: MembershipAction, of user: UserID, by other: UserID? = nil, in room: RoomID)
    async throws
  {
    _ = try await memberships.change(
      MembershipRequest(roomID: room, target: user, action: action, ratelimit: false),
      requester: acting(as: other ?? user))
  }

  private func create(_ alias: RoomAlias, for user: UserID) async throws {
    var body: [Text: JSON] = [
      "preset": .string(settings.autoJoinRoomPreset), "room_alias_name": .string(alias.localpart),
    ]
    let isByInvite = settings.autoJoinRoomPreset != "public_chat"
    if settings.autoJoinUserID != nil, settings.autoJoinUserID != user, isByInvite {
      body["invite"] = [.string(user.rawValue)]
    }
    if !settings.autoJoinRoomsFederate { body["creation_content"] = ["m.federate": false] }
    let request = try RoomCreationRequest(
      try JSON.object(body).document(), defaultVersion: stores.config.rooms.defaultRoomVersion)
    let creator = settings.autoJoinUserID ?? user
    let room = try await creation.create(request, requester: acting(as: creator))
    if creator != user { try await change(.join, of: user, in: room) }
  }

  private func join(_ alias: RoomAlias, _ user: UserID) async throws {
    let room = try await directory.resolve(alias).roomID
    let rules = try await stores.currentStateEvent(room, StateKey(EventType.joinRules))
    let rule = rules?.content["join_rule"]?.string
    if let rule, rule != "public", let inviter = settings.autoJoinUserID, inviter != user {
      try await change(.invite, of: user, by: inviter, in: room)
    }
    try await change(.join, of: user, in: room)
  }
}
