import ArgumentParser
import ByteText
import FoundationEssentials
import ServerConfig

/// The options that write configuration files instead of starting a process.
struct GenerationOptions: ParsableArguments {
  enum Answer: String, ExpressibleByArgument {
    case yes, no
  }

  @Flag(help: "Write a configuration file, then exit.")
  var generateConfig = false

  @Flag(
    name: [.customLong("generate-missing-configs"), .customLong("generate-keys")],
    help: "Write the files that the configuration names and that do not exist (keys, log configuration), then exit.")
  var generateMissingConfigs = false

  @Flag(help: "Write the files that do not exist, then run.")
  var generateMissingAndRun = false

  @Option(name: [.customShort("H"), .long], help: "The name of the server to write a configuration for.")
  var serverName: String?

  @Option(help: "Whether the written configuration says yes or no to usage statistics (none are ever sent).")
  var reportStats: Answer?

  @Option(
    name: [.customLong("config-directory"), .customLong("keys-directory")],
    help: "The folder of signing key and log configuration.")
  var configDirectory: String?

  @Option(help: "The folder of media and pid file.")
  var dataDirectory: String?

  @Flag(help: "Make the written configuration listen on all addresses.")
  var openPrivatePorts = false

  @Flag(help: "Add a metrics listener to the written configuration.")
  var enableMetrics = false

  /// Whether the process starts after the files have been written.
  var runsAfterwards: Bool { generateMissingAndRun && !generateConfig }

  /// Writes what is asked for.
  ///
  /// - Returns: lines for the administrator, or nil when nothing is asked for.
  func generate(_ configPaths: [String]) throws -> [String]? {
    guard let path = configPaths.first else { return nil }
    if generateConfig {
      guard let serverName else {
        throw ValidationError("Must specify a server_name to a generate config for. Pass -H server.name.")
      }
      guard let reportStats else {
        throw ValidationError("Please specify either --report-stats=yes or --report-stats=no")
      }
      let folder = configDirectory ?? URL(fileURLWithPath: path).deletingLastPathComponent().path
      var generator = ConfigGenerator(
        serverName: Text(serverName), configFolder: Text(folder),
        dataFolder: Text(dataDirectory ?? FileManager.default.currentDirectoryPath))
      generator.reportsStats = reportStats == .yes
      generator.opensPrivatePorts = openPrivatePorts
      generator.enablesMetrics = enableMetrics
      return try generator.writeAll(to: Text(path)).map(\.string)
    }
    guard generateMissingConfigs || generateMissingAndRun else { return nil }
    return try ConfigGenerator.writeMissingFiles(
      paths: configPaths.map { Text($0) }, configFolder: configDirectory.map { Text($0) }
    ).map(\.string)
  }
}
