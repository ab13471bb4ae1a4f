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
}

/// What is left to choose in some scenarios.
struct ScenarioOptions: Sendable {
  /// The rooms that are asked for; nil takes the scenario's own.
  var group: String?
  /// Events a room in a sync filter.
  var timeline: Int?
  /// Whether members are lazily loaded.
  var isLazy = false
  /// How often steps are repeated that are made one after the other.
  var steps: Int
}
