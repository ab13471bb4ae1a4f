import Crypto
import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let encryption: [Text: Recipe] = [
    "uploadKeys": { server in
      let user = try await server.register()
      return Sample(target: "keys/upload", body: deviceKeys(of: user), caller: user)
    },
    "queryKeys": { server in
      let user = try await server.register()
      return Sample(target: "keys/query", body: #"{"device_keys":{"\#(user.id)":[]}}"#, caller: user)
    },
    "claimKeys": { server in
      let (user, other) = (try await server.register(), try await server.guest())
      _ = try await server.call("POST", "keys/upload", deviceKeys(of: user), as: user)
      let wish = #"{"\#(user.id)":{"\#(user.device)":"signed_curve25519"}}"#
      return Sample(target: "keys/claim", body: #"{"one_time_keys":\#(wish)}"#, caller: other)
    },
    "getKeysChanges": { server in
      let user = try await server.register()
      let since = try #require(try await server.call("GET", "sync", as: user).json["next_batch"]?.string)
      return Sample(target: "keys/changes?from=\(since)&to=\(since)", caller: user)
    },
    "uploadCrossSigningKeys": { server in
      let user = try await server.register()
      return Sample(target: "keys/device_signing/upload", body: masterKey(of: user), caller: user)
    },
    "uploadCrossSigningSignatures": { server in
      let user = try await server.register()
      return Sample(target: "keys/signatures/upload", body: #"{"\#(user.id)":{"DEVICE":{}}}"#, caller: user)
    },
    "allowCrossSigningReplacement": { server in
      let user = try await server.register()
      _ = try await server.call("POST", "keys/device_signing/upload", masterKey(of: user), as: user)
      return Sample(
        target: "/_synapse/admin/v1/users/\(escaped(user.id))/_allow_cross_signing_replacement_without_uia",
        body: "{}", caller: try await server.administrator())
    },
  ]

  /// Returns the upload of a device with one one-time key and one fallback key. Nobody on the server looks at its signatures.
  static func deviceKeys(of user: TestServer.Account) -> Text {
    let signatures = #""signatures":{"\#(user.id)":{"ed25519:\#(user.device)":"c2ln"}}"#
    let keys = #""keys":{"ed25519:\#(user.device)":"a2V5","curve25519:\#(user.device)":"a2V5"}"#
    let device = #""user_id":"\#(user.id)","device_id":"\#(user.device)","algorithms":["m.megolm.v1.aes-sha2"]"#
    let key = #"{"key":"a2V5",\#(signatures)}"#
    return #"""
      {"device_keys":{\#(device),\#(keys),\#(signatures)},"one_time_keys":{"signed_curve25519:AAAAAQ":\#(key)},
       "fallback_keys":{"signed_curve25519:AAAAAA":\#(key)}}
      """#
  }

  /// Returns the upload of a first master key.
  static func masterKey(of user: TestServer.Account) -> Text {
    let key = UnpaddedBase64.encode(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)
    return #"{"master_key":{"user_id":"\#(user.id)","usage":["master"],"keys":{"ed25519:\#(key)":"\#(key)"}}}"#
  }
}
