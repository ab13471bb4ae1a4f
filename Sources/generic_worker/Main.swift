import ArgumentParser
import Glibc
import ServerConfig
import WorkerRuntime

/// The program of a worker, with the command line of Synapse's workers.
@main
struct GenericWorker: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generic_worker",
    abstract:
      "A worker of a Matrix homeserver: client requests, and any stream or duty that the configuration names it for.")

  @Option(
    name: [.customShort("c"), .long],
    help: "A configuration file, or a folder of them. May be repeated; later files override top-level keys.")
  var configPath: [String]

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

  func run() async throws {
    do {
      Daemon.beginSession()
      let runtime = try ProcessRuntime(
        role: .genericWorker, configPaths: configPath, acceptsUnsupported: acceptUnsupported)
      if printPidfile || runtime.config.server.printsPIDFile, let path = runtime.config.server.pidFile { print(path) }
      if (daemonize || runtime.config.server.daemonizes) && !Daemon.isDetached { throw ExitCode(try Daemon.detach()) }
      try await runtime.run()
    } catch let code as ExitCode {
      throw code
    } catch {
      let line = String(describing: error).split(separator: "\n").joined(separator: " ")
      StandardError.write("generic_worker: \(line)\n")
      throw ExitCode(1)
    }
  }
}
