import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let keyBackup: [Text: Recipe] = [
    "postRoomKeysVersion": { Sample(target: "room_keys/version", body: backup, caller: try await $0.register()) },
    "getRoomKeysVersionCurrent": withBackup { _ in "room_keys/version" },
    "getRoomKeysVersion": withBackup { "room_keys/version/\($0)" },
    "putRoomKeysVersion": withBackup(body: backup) { "room_keys/version/\($0)" },
    "deleteRoomKeysVersion": withBackup { "room_keys/version/\($0)" },
    "putRoomKeys": withBackup(body: #"{"rooms":{"!r:x":{"sessions":{"S":\#(session)}}}}"#) {
      "room_keys/keys?version=\($0)"
    },
    "getRoomKeys": withBackup { "room_keys/keys?version=\($0)" },
    "deleteRoomKeys": withBackup { "room_keys/keys?version=\($0)" },
    "putRoomKeysByRoomId": withBackup(body: #"{"sessions":{"S":\#(session)}}"#) {
      "room_keys/keys/%21r%3Ax?version=\($0)"
    },
    "getRoomKeysByRoomId": withBackup { "room_keys/keys/%21r%3Ax?version=\($0)" },
    "deleteRoomKeysByRoomId": withBackup { "room_keys/keys/%21r%3Ax?version=\($0)" },
    "putRoomKeyBySessionId": withBackup(body: session) { "room_keys/keys/%21r%3Ax/S?version=\($0)" },
    "getRoomKeyBySessionId": withBackup { "room_keys/keys/%21r%3Ax/S?version=\($0)" },
    "deleteRoomKeyBySessionId": withBackup { "room_keys/keys/%21r%3Ax/S?version=\($0)" },
    "getPushers": { Sample(target: "pushers", caller: try await $0.register()) },
    "postPusher": { Sample(target: "pushers/set", body: pusher, caller: try await $0.register()) },
    "getProtocols": { Sample(target: "thirdparty/protocols", caller: try await $0.guest()) },
    "getProtocolMetadata": { Sample(target: "thirdparty/protocol/irc", caller: try await $0.guest(), status: 404) },
    "queryLocationByProtocol": { Sample(target: "thirdparty/location/irc", caller: try await $0.guest()) },
    "queryLocationByAlias": { Sample(target: "thirdparty/location?alias=%23a%3Ab", caller: try await $0.guest()) },
    "queryUserByProtocol": { Sample(target: "thirdparty/user/irc", caller: try await $0.guest()) },
    "queryUserByID": { Sample(target: "thirdparty/user?userid=%40a%3Ab", caller: try await $0.guest()) },
    "getRTCTransports": {
      Sample(
        target: "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", caller: try await $0.register())
    },
  ]

  private static let pusher: Text =
    #"""
    {"kind":"http","app_id":"org.example","pushkey":"k","app_display_name":"A","device_display_name":"D","lang":"en",
    "data":{"url":"https://push.example.org/_matrix/push/v1/notify"}}
    """#
  private static let backup: Text = #"{"algorithm":"m.megolm_backup.v1","auth_data":{"public_key":"abc"}}"#
  private static let session: Text =
    #"{"first_message_index":1,"forwarded_count":0,"is_verified":true,"session_data":{"ciphertext":"x"}}"#

  /// Returns a request about a backup that holds one session.
  private static func withBackup(
    body: Text = "", _ target: @escaping @Sendable (_ version: Text) -> Text
  ) -> Recipe {
    { server in
      let alice = try await server.register()
      let made = try await server.call("POST", "room_keys/version", backup, as: alice)
      let version = try #require(made.json["version"]?.string)
      _ = try await server.call("PUT", "room_keys/keys/%21r%3Ax/S?version=\(version)", session, as: alice)
      return Sample(target: target(version), body: body, caller: alice)
    }
  }
}
