import NIOCore

/// What a scenario gets to work with: the server, the data on it, and how hard to load it.
struct Measurement: Sendable {
  let target: Target
  /// Another process of the same server, for what is written at one and read at the other.
  let secondTarget: Target
  let api: ClientAPI
  let dataset: Dataset
  let plan: LoadPlan
  let options: ScenarioOptions
  /// Part of names and transaction ids, so that a repeated run does not repeat requests.
  let tag: String
  let gate: Gate
  let loop: any EventLoop

  var writer: RequestWriter { RequestWriter(target) }

  /// Loads the server by the plan.
  func load(_ name: String, _ workload: Workload) async throws -> Report {
    let round = LoadRound(target, plan: plan, workload: workload, loop: loop)
    return Report(name, plan: plan, try await round.run(gate: gate))
  }

  /// Waits until the server has done what it was given: until it answers a small request quickly several times in a row.
  /// - Parameter account: Who asks.
  func settle(_ account: Account) async throws {
    let connection = try await LoadConnection.connect(target, on: loop).get()
    let request = writer.request("GET", "/_matrix/client/v3/account/whoami", token: account.token)
    let limit = NIODeadline.now() + .seconds(60)
    var quick = 0
    while quick < 5 && NIODeadline.now() < limit {
      try await Task.sleep(for: .milliseconds(100))
      let begun = NIODeadline.now()
      let (_, answered) = try await connection.exchange(request)
      quick = answered - begun < .milliseconds(25) ? quick + 1 : 0
    }
    connection.close()
  }
}

/// What is left to choose in some scenarios.
struct ScenarioOptions: Sendable {
  /// The rooms that are asked for; nil takes the scenario's own.
  var group: String?
  /// Events a room in a sync filter.
  var timeline: Int?
  /// Whether members are lazily loaded.
  var isLazy = false
  /// The number of repetitions of sequential steps.
  var steps: Int
}
