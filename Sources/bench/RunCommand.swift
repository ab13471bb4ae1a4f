import ArgumentParser
import Foundation
import NIOPosix

/// The command that runs scenarios against a server.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs scenarios; the standard command.")

  @OptionGroup var server: ServerArguments
  @OptionGroup var load: LoadArguments
  @OptionGroup var shape: DatasetShape

  @Option(name: .long, parsing: .singleValue, help: "A scenario; may be repeated. `bench list` names them.")
  var scenario: [String] = []

  @Option(help: "Another process of the same server, at which echo and fan-out wait.")
  var secondURL: String?

  @Option(help: "The rooms to use: anchor, large, wide, wider.")
  var group: String?

  @Option(help: "Events a room in the filter of sync-initial.")
  var timeline: Int?

  @Flag(help: "Lazily loaded members in the filter of sync-initial.")
  var lazy = false

  @Option(help: "How often echo and fan-out repeat their step.")
  var steps = 50

  @Option(help: "Part of names and transaction ids. The time of day otherwise.")
  var tag: String?

  @Flag(help: "Says when measuring begins and ends, and waits for a line on standard input each time.")
  var paced = false

  func validate() throws {
    guard !scenario.isEmpty else { throw ValidationError("Name a --scenario; `bench list` shows them.") }
    guard (1...100_000).contains(steps) else { throw ValidationError("--steps is 1 to 100000.") }
  }

  func run() async throws {
    let chosen = try scenario.map { name in
      guard let found = Scenario.all.first(where: { $0.name == name }) else {
        throw ValidationError("There is no scenario \(name).")
      }
      return found
    }
    Descriptors.raiseLimit()
    try await server.withAPI { api in
      let dataset = try await SetUpCommand.data(server, shape, api)
      let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
      for scenario in chosen {
        let measurement = Measurement(
          target: try server.target(), secondTarget: try secondURL.map { try Target(baseURL: $0) } ?? server.target(),
          api: api, dataset: dataset, plan: load.plan(connections: scenario.connections),
          options: ScenarioOptions(group: group, timeline: timeline, isLazy: lazy, steps: steps),
          tag: tag ?? String(Int(Date().timeIntervalSince1970 * 1000), radix: 36), gate: Gate(isOpen: paced),
          loop: threads.next())
        try Output.write(try await scenario.run(measurement))
      }
      try await threads.shutdownGracefully()
    }
  }
}
