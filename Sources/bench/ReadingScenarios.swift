import MatrixPrimitives
import NIOCore

extension Scenario {
  /// The requests that read one thing.
  static let reading: [Scenario] = [
    .load("whoami", "GET /account/whoami by the members of the ordinary rooms") { measurement in
      let members = try measurement.dataset.group("anchor").members
      return .cycling(
        members.map { measurement.writer.request("GET", "/_matrix/client/v3/account/whoami", token: $0.token) })
    },
    .load("messages", "GET /messages of 100 events") { measurement in
      try .cycling(perRoom(measurement) { Path.rooms($0, "messages?dir=b&limit=100") })
    },
    .load("members", "GET /members of a room") { measurement in
      try .cycling(perRoom(measurement) { Path.rooms($0, "members") })
    },
    .load("state", "GET /state of a room") { measurement in
      try .cycling(perRoom(measurement) { Path.rooms($0, "state") })
    },
    .load("user-directory-100000", "POST /user_directory/search by words of names") { measurement in
      let members = try measurement.dataset.group("anchor").members
      let terms = ["ada", "ben ba", "klara peters", "tho", "person4711", "zoe qu", "mia 9", "xenia thoma 73"]
      let requests = terms.enumerated().map { number, term in
        measurement.writer.request(
          "POST", "/_matrix/client/v3/user_directory/search", token: members[number % members.count].token,
          body: "{\"search_term\":\"\(term)\",\"limit\":10}")
      }
      return .cycling(requests)
    },
    .load("context", "GET /context of an event with 10 events around it") { measurement in
      let group = try measurement.dataset.group(measurement.options.group ?? "anchor")
      var paths: [String: String] = [:]
      for (number, room) in group.rooms.enumerated() {
        let reader = group.members[number % group.members.count]
        let page = try await measurement.api.call(
          .GET, Path.rooms(room, "messages?dir=b&limit=20"), token: reader.token)
        guard let event = page["chunk"]?[10]?["event_id"]?.string else {
          throw BenchError("a room has too few messages for /context")
        }
        paths[room] = Path.rooms(room, "context/\(Path.quoted(event.string))?limit=10")
      }
      let found = paths
      return try .cycling(perRoom(measurement) { found[$0] ?? "" })
    },
  ]

  /// Makes a request for each room, by another member each.
  private static func perRoom(_ measurement: Measurement, _ path: (String) -> String) throws -> [ByteBuffer] {
    let group = try measurement.dataset.group(measurement.options.group ?? "anchor")
    return group.rooms.enumerated().map { number, room in
      let reader = group.members[number % group.members.count]
      return measurement.writer.request("GET", path(room), token: reader.token)
    }
  }
}
