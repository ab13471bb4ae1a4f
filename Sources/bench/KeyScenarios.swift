import MatrixPrimitives
import NIOCore

extension Scenario {
  /// The requests of clients that encrypt.
  static let keys: [Scenario] = [
    .load("keys-query-300", "POST /keys/query of 300 users with devices, by them in turn") { measurement in
      let members = try measurement.dataset.group("wide").members.prefix(300)
      for member in members { _ = try await upload(measurement, member, oneTimeKeys: 0) }
      let body = "{\"device_keys\":{" + members.map { "\"\($0.id)\":[]" }.joined(separator: ",") + "}}"
      return .cycling(
        members.map {
          measurement.writer.request("POST", "/_matrix/client/v3/keys/query", token: $0.token, body: body)
        })
    },
    .load("keys-claim", "POST /keys/claim of one key of 300 devices in turn") { measurement in
      let members = Array(try measurement.dataset.group("wide").members.prefix(300))
      var bodies: [String] = []
      for member in members {
        let device = try await upload(measurement, member, oneTimeKeys: keysOfEach)
        bodies.append(#"{"one_time_keys":{"\#(member.id)":{"\#(device)":"signed_curve25519"}}}"#)
      }
      let (writer, claims) = (measurement.writer, bodies)
      return Workload { number in
        guard number / claims.count < keysOfEach else { return nil }
        return writer.request(
          "POST", "/_matrix/client/v3/keys/claim", token: members[(number + 1) % members.count].token,
          body: claims[number % claims.count])
      }
    },
  ]

  private static let keysOfEach = 150

  /// Uploads what a client uploads at its start; the server looks at no signature in it.
  ///
  /// - Returns: the device.
  private static func upload(
    _ measurement: Measurement, _ member: Account, oneTimeKeys: Int
  ) async throws -> String {
    let owner = try await measurement.api.call(.GET, "/_matrix/client/v3/account/whoami", token: member.token)
    guard let device = owner["device_id"]?.string?.string else { throw BenchError("a token belongs to no device") }
    let key = String(repeating: "A", count: 43)
    let signature = #""signatures":{"\#(member.id)":{"ed25519:\#(device)":"\#(key)\#(key)"}}"#
    let keys = #""keys":{"ed25519:\#(device)":"\#(key)","curve25519:\#(device)":"\#(key)"}"#
    let algorithms = #""algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"]"#
    let identity = #"{"user_id":"\#(member.id)","device_id":"\#(device)",\#(algorithms),\#(keys),\#(signature)}"#
    let oneTime = (0..<oneTimeKeys).map {
      #""signed_curve25519:\#(measurement.tag)\#($0)":{"key":"\#(key)",\#(signature)}"#
    }
    let body = #"{"device_keys":\#(identity),"one_time_keys":{\#(oneTime.joined(separator: ","))}}"#
    _ = try await measurement.api.call(
      .POST, "/_matrix/client/v3/keys/upload", token: member.token, body: try JSON.parse(Text(body)))
    return device
  }
}
