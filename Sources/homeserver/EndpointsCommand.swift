import ArgumentParser
import EndpointKit
import WorkerRuntime

/// The command that prints the table of all endpoints.
struct EndpointsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "endpoints", abstract: "Prints the table of all endpoints in Markdown.")

  func run() async throws {
    do {
      let runtime = try ProcessRuntime(role: .homeserver, configText: ProcessRuntime.sampleConfiguration)
      print(EndpointTable(try await runtime.families()).markdown, terminator: "")
    } catch {
      throw StartFailure.report(error)
    }
  }
}
