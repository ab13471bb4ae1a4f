import MatrixPrimitives

/// What a preset of `/createRoom` stands for.
///
/// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom
enum RoomPreset: Text, Sendable {
  case privateChat = "private_chat"
  case trustedPrivateChat = "trusted_private_chat"
  case publicChat = "public_chat"

  var joinRule: Text { self == .publicChat ? "public" : "invite" }

  var guestsCanJoin: Bool { self != .publicChat }

  var givesInvitedPower: Bool { self == .trustedPrivateChat }

  /// Changes the default power levels as Synapse was observed to do for the preset.
  func adjust(_ levels: inout [Text: JSON]) {
    guard self == .publicChat else {
      levels["invite"] = 0
      return
    }
    var events = levels["events"]?.members ?? [:]
    events["m.call.invite"] = 50
    levels["events"] = .object(events)
  }
}
