import ArgumentParser
import FoundationEssentials
import ServerConfig

/// The program that makes a signing key for a homeserver.
@main
struct GenerateSigningKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate_signing_key", abstract: "Makes a new signing key for a homeserver.")

  @Option(
    name: [.customShort("o"), .customLong("output_file")], help: "Where to write the key; - is the standard output.")
  var outputFile = "-"

  func run() throws {
    let key = SigningKey.generate()
    guard outputFile != "-" else {
      print(key.line)
      return
    }
    let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o640]
    guard
      FileManager.default.createFile(atPath: outputFile, contents: Data("\(key.line)\n".utf8), attributes: attributes)
    else { throw ValidationError("cannot write \(outputFile)") }
  }
}
