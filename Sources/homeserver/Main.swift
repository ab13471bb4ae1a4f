import ArgumentParser
import Glibc
import ServerConfig
import WorkerRuntime

/// The program of the main process, or the whole server. Without a subcommand it takes the command line of Synapse's
/// homeserver.
@main
struct Homeserver: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "homeserver", abstract: "A Matrix homeserver: the main process, or the whole server.",
    subcommands: [RunCommand.self, NginxCommand.self, HAProxyCommand.self, EndpointsCommand.self],
    defaultSubcommand: RunCommand.self)
}

/// The command that runs the process until it is told to stop.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs the process (the default).")

  @OptionGroup var generation: GenerationOptions

  @Option(
    name: [.customShort("c"), .long],
    help: "A configuration file, or a folder of them. May be repeated; later files override top-level keys.")
  var configPath: [String] = []

  @Flag(name: [.customShort("D"), .long], help: "Detach from the terminal once requests are answered.")
  var daemonize = false

  @Flag(name: [.customShort("n"), .long], help: "Accepted for compatibility: output is never redirected.")
  var noRedirectStdio = false

  @Flag(
    help:
      "Start although the configuration has settings that shut something and are not supported. Each is named in the log."
  )
  var acceptUnsupported = false

  @Flag(help: "Print the path of the pid file.")
  var printPidfile = false

  func validate() throws {
    if configPath.isEmpty { throw ValidationError("Missing expected argument '--config-path <config-path>'") }
  }

  func run() async throws {
    do {
      if let lines = try generation.generate(configPath) {
        for line in lines { print(line) }
        guard generation.runsAfterwards else { return }
      }
      try await start()
    } catch let code as ExitCode {
      throw code
    } catch {
      throw StartFailure.report(error)
    }
  }

  private func start() async throws {
    Daemon.beginSession()
    let runtime = try ProcessRuntime(
      role: .homeserver, configPaths: configPath, acceptsUnsupported: acceptUnsupported)
    if printPidfile || runtime.config.server.printsPIDFile, let path = runtime.config.server.pidFile { print(path) }
    if (daemonize || runtime.config.server.daemonizes) && !Daemon.isDetached { throw ExitCode(try Daemon.detach()) }
    try await runtime.run()
  }
}

/// The message why a process did not start, or why it ended, in one line.
enum StartFailure {
  static func report(_ error: any Error) -> ExitCode {
    let line = String(describing: error).split(separator: "\n").joined(separator: " ")
    StandardError.write("homeserver: \(line)\n")
    return ExitCode(1)
  }
}
