import ArgumentParser

/// The list of scenarios.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Names the scenarios.")

  func run() {
    for scenario in Scenario.all {
      let name = scenario.name + String(repeating: " ", count: max(1, 18 - scenario.name.count))
      print("\(name)\(scenario.summary)")
    }
  }
}
