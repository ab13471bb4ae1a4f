import ArgumentParser

/// The load on a server.
struct LoadArguments: ParsableArguments {
  @Option(help: "Connections; each scenario has a number of its own otherwise.")
  var connections: Int?

  @Option(
    help: "Requests a second at a fixed rate (open loop). Otherwise each connection sends as soon as it is answered.")
  var rate: Double?

  @Option(help: "Seconds of load before counting begins.")
  var warmUp = 1.0

  @Option(help: "Seconds that are counted.")
  var seconds = 5.0

  func validate() throws {
    guard (1...100_000).contains(connections ?? 1) else { throw ValidationError("--connections is 1 to 100000.") }
    guard (rate ?? 1) > 0, (rate ?? 1) <= 1e6 else { throw ValidationError("--rate is above 0, at most a million.") }
    guard (0...3600).contains(warmUp), seconds > 0, seconds <= 3600 else {
      throw ValidationError("Seconds are above 0, at most an hour.")
    }
  }

  func plan(connections standard: Int) -> LoadPlan {
    // An open-loop round needs enough connections for all that is on its way at the same time.
    let connections = connections ?? (rate == nil ? standard : max(standard, 256))
    return LoadPlan(connections: connections, rate: rate, warmUp: warmUp, seconds: seconds)
  }
}
