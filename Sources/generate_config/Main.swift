import ArgumentParser
import ByteText
import FoundationEssentials
import Glibc
import ServerConfig

/// The program that prints a configuration for a new homeserver.
@main
struct GenerateConfig: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate_config", abstract: "Prints a configuration for a new homeserver.")

  enum Answer: String, ExpressibleByArgument {
    case yes, no
  }

  @Option(help: "The folder of keys and log configuration, used in paths.")
  var configDir = "CONFDIR"

  @Option(help: "The folder of media and the pid file, used in paths.")
  var dataDir = "DATADIR"

  @Option(help: "The server's name.")
  var serverName = "SERVERNAME"

  @Option(help: "Whether the configuration says yes or no to usage statistics (none are ever sent).")
  var reportStats: Answer?

  @Flag(help: "Make new secrets. Without this they are left out.")
  var generateSecrets = false

  @Option(name: .shortAndLong, help: "Where to write the configuration; - is the standard output.")
  var outputFile = "-"

  @Option(help: "A file whose text is put before the configuration.")
  var headerFile: String?

  func run() throws {
    var generator = ConfigGenerator(
      serverName: Text(serverName), configFolder: Text(configDir), dataFolder: Text(dataDir))
    // These paths are for another place or another time: they stay as given.
    generator.configFolder = Text(configDir)
    generator.dataFolder = Text(dataDir)
    generator.makesSecrets = generateSecrets
    generator.reportsStats = reportStats.map { $0 == .yes }
    let header = try headerFile.map { try String(contentsOfFile: $0, encoding: .utf8) } ?? ""
    let text = try header + generator.render().string
    guard outputFile == "-" else {
      try text.write(toFile: outputFile, atomically: false, encoding: .utf8)
      return
    }
    print(text, terminator: "")
  }
}
