/// One thing that is measured.
struct Scenario: Sendable {
  let name: String
  /// What is done, in one line.
  let summary: String
  /// The default number of connections.
  let connections: Int
  let run: @Sendable (Measurement) async throws -> Report

  init(
    _ name: String, _ summary: String, connections: Int = 16,
    run: @escaping @Sendable (Measurement) async throws -> Report
  ) {
    self.name = name
    self.summary = summary
    self.connections = connections
    self.run = run
  }

  /// Makes a scenario that loads the server with requests made beforehand.
  static func load(
    _ name: String, _ summary: String, connections: Int = 16,
    prepare: @escaping @Sendable (Measurement) async throws -> Workload
  ) -> Scenario {
    Scenario(name, summary, connections: connections) { measurement in
      try await measurement.load(name, try await prepare(measurement))
    }
  }

  /// All scenarios: those that only read come first, so that they find the data unchanged.
  static let all: [Scenario] = reading + keys + syncing + sliding + writing + waiting
}
