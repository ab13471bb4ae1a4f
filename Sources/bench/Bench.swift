import ArgumentParser

/// The measurement of a homeserver through its client-server API.
@main
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures a Matrix homeserver through its client-server API.",
    discussion: """
      Prints one line of JSON for each scenario. `make bench` runs it against this server and Synapse in turn and \
      draws the tables; see Docs/benchmarks/README.md.
      """,
    subcommands: [RunCommand.self, SetUpCommand.self, CalibrateCommand.self, ListCommand.self],
    defaultSubcommand: RunCommand.self)
}
