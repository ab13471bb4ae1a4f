import NIOCore

extension Scenario {
  private static let sync = "/_matrix/client/v3/sync?timeout=0"

  /// The syncs that answer at once.
  static let syncing: [Scenario] = [
    .load("sync-idle", "incremental /sync with nothing new") { measurement in
      let members = try measurement.dataset.group("anchor").members.prefix(16)
      // Their coming online is news; it has to be over before the tokens are taken.
      for member in members { try await measurement.api.call(.GET, sync, token: member.token) }
      try await Task.sleep(for: .seconds(1))
      var requests: [ByteBuffer] = []
      for member in members {
        let since = try await measurement.api.now(member)
        requests.append(measurement.writer.request("GET", "\(sync)&since=\(since)", token: member.token))
      }
      return .cycling(requests)
    },
    .load("sync-news", "incremental /sync with a new message in each of 10 rooms") { measurement in
      let group = try measurement.dataset.group("anchor")
      guard let first = group.members.first else { return .cycling([]) }
      for member in group.members.prefix(16) { try await measurement.api.call(.GET, sync, token: member.token) }
      let since = try await measurement.api.now(first)
      for (number, room) in group.rooms.prefix(10).enumerated() {
        let sender = group.members[(number + 20) % group.members.count]
        try await measurement.api.send(
          "News \(Words.text(seed: number))", to: room, transaction: "news-\(measurement.tag)-\(number)", by: sender)
      }
      return .cycling(
        group.members.prefix(16).map {
          measurement.writer.request("GET", "\(sync)&since=\(since)", token: $0.token)
        })
    },
    .load("sync-initial", "first /sync by members of a group of rooms (--group, --timeline, --lazy)") { measurement in
      let options = measurement.options
      let members = try measurement.dataset.group(options.group ?? "anchor").members
      var path = sync
      if options.timeline != nil || options.isLazy {
        path += "&filter=" + Path.filter(timeline: options.timeline, lazy: options.isLazy)
      }
      return .cycling(members.map { measurement.writer.request("GET", path, token: $0.token) })
    },
  ]
}
