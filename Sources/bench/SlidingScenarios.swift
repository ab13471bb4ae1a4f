import MatrixPrimitives
import NIOCore
import NIOHTTP1

extension Scenario {
  private static let slidingSync = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0"

  /// The sliding syncs, as Element X asks for the list of rooms.
  static let sliding: [Scenario] = [
    .load("sliding-first-300", "first sliding sync of the rooms of a group, up to 300 (--group)") { measurement in
      let members = try measurement.dataset.group(measurement.options.group ?? "wider").members
      return .cycling(
        members.map { member in
          measurement.writer.request("POST", slidingSync, token: member.token, body: slidingBody(last: 299))
        })
    },
    .load("sliding-news", "sliding sync with a new message in each of 10 rooms") { measurement in
      let group = try measurement.dataset.group("anchor")
      var requests: [ByteBuffer] = []
      for member in group.members.prefix(16) {
        let first = try await measurement.api.call(
          .POST, slidingSync, token: member.token, body: try JSON.parse(Array(slidingBody(last: 99).utf8)))
        guard let position = first["pos"]?.string else { continue }
        requests.append(
          measurement.writer.request(
            "POST", "\(slidingSync)&pos=\(position)", token: member.token, body: slidingBody(last: 99)))
      }
      for (number, room) in group.rooms.prefix(10).enumerated() {
        let sender = group.members[(number + 20) % group.members.count]
        try await measurement.api.send(
          "News \(Words.text(seed: number))", to: room, transaction: "slid-\(measurement.tag)-\(number)", by: sender)
      }
      return .cycling(requests)
    },
  ]

  private static func slidingBody(last: Int) -> String {
    let state = [
      ["m.room.name", ""], ["m.room.encryption", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"],
      ["m.room.topic", ""], ["m.room.canonical_alias", ""], ["m.room.power_levels", ""], ["m.room.create", ""],
    ].map { #"["\#($0[0])","\#($0[1])"]"# }.joined(separator: ",")
    return """
      {"lists":{"all_rooms":{"ranges":[[0,\(last)]],"timeline_limit":1,"required_state":[\(state)],\
      "filters":{"not_room_types":["m.space"]}}},"extensions":{"account_data":{"enabled":true},\
      "receipts":{"enabled":true},"typing":{"enabled":true},"e2ee":{"enabled":true}}}
      """
  }
}
