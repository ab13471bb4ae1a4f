import EventPersistence
import MatrixEvents
import MatrixPrimitives
import ServerConfig

/// The state that is shown to users before they are in a room.
///
/// https://spec.matrix.org/v1.16/client-server-api/#stripped-state
struct StrippedState: Sendable {
  let state: StateService
  /// The state to show, from `room_prejoin_state`; entries for any state key show the empty one.
  let types: [RoomSettings.PrejoinStateType]

  /// Returns the stripped events before the next event of a chain.
  ///
  /// - Parameter inviter: the user whose membership is shown as well, so that the invited user sees who it is.
  func events(on chain: EventChain, inviter: UserID?) async throws -> JSON {
    var keys = types.map { StateKey($0.type, $0.stateKey ?? "") }
    if let inviter { keys.append(StateKey("m.room.member", inviter.rawValue)) }
    let found = try await chain.stateEvents(keys, state)
    return .array(keys.compactMap { found[$0].map(Self.strip) })
  }

  static func strip(_ event: Event) -> JSON {
    [
      "type": .string(event.type), "state_key": .string(event.stateKey ?? ""),
      "sender": .string(event.sender.rawValue), "content": event.content.json,
    ]
  }
}
