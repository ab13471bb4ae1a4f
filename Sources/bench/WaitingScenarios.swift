extension Scenario {
  /// What clients see that wait for news.
  static let waiting: [Scenario] = [
    Scenario("echo", "one send on an idle server, and until a waiting /sync shows it (--second-url)", connections: 2) {
      try await Echo(measurement: $0).run()
    },
    Scenario("fan-out", "from a send to the last of the waiting members of the large room", connections: 1000) {
      try await FanOut(measurement: $0).run()
    },
    Scenario("long-polls", "waiting /sync requests that are only held", connections: 5000) {
      try await LongPolls(measurement: $0).run()
    },
  ]
}
