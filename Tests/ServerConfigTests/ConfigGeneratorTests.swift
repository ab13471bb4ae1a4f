import ByteText
import Foundation
import Testing

@testable import ServerConfig

@Suite struct ConfigGeneratorTests {
  @Test func generatedFilesLoadAndAreNotOverwritten() throws {
    let folder = Text(
      FileManager.default.temporaryDirectory.appendingPathComponent("generate-\(UUID().uuidString)").path)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    var generator = ConfigGenerator(
      serverName: "example.org:8448", configFolder: folder + "/etc", dataFolder: folder + "/data")
    generator.reportsStats = false
    let path = folder + "/etc/homeserver.yaml"
    #expect(try generator.writeAll(to: path).count == 3)
    let (config, _) = try HomeserverConfig.load(paths: [path], role: .homeserver)
    #expect(config.serverName == "example.org:8448")
    #expect(config.listeners.first?.endpoint == .tcp(addresses: ["::1", "127.0.0.1"], port: 8048))
    #expect(config.registration.sharedSecret?.utf8.count == 50 && config.formSecret?.utf8.count == 50)
    #expect(config.loggingFile == folder + "/etc/example.org:8448.log.config")
    let key = try String(contentsOfFile: "\(folder)/etc/example.org:8448.signing.key", encoding: .utf8)
    #expect(config.keys.signingKeys.first?.line == Text(key.trimmingCharacters(in: .newlines)))
    let before = try Data(contentsOf: URL(fileURLWithPath: path.string))
    #expect(try generator.writeAll(to: path).count == 1)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path.string)) == before)
    let mode = try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func missingKeysAndSecretsAreWrittenOnce() throws {
    let folder = Text(
      FileManager.default.temporaryDirectory.appendingPathComponent("missing-\(UUID().uuidString)").path)
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let path = folder + "/homeserver.yaml"
    try Data("server_name: a.org\nform_secret_path: \(folder)/form\nsigning_key_path: \(folder)/old\n".utf8)
      .write(to: URL(fileURLWithPath: path.string))
    try Data("u6lYH01rFqRU1xtr3n20hSzi3tUsOcm/396itqQhYX4\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/old"))
    #expect(try ConfigGenerator.writeMissingFiles(paths: [path]).count == 2)
    let upgraded = try String(contentsOfFile: "\(folder)/old", encoding: .utf8)
    #expect(upgraded.hasPrefix("ed25519 a_") && upgraded.hasSuffix(" u6lYH01rFqRU1xtr3n20hSzi3tUsOcm/396itqQhYX4\n"))
    #expect(try ConfigGenerator.writeMissingFiles(paths: [path]).isEmpty)
  }

  @Test func metricsAndOpenPorts() throws {
    var generator = ConfigGenerator(serverName: "example.org", configFolder: "/c", dataFolder: "/d")
    generator.opensPrivatePorts = true
    generator.enablesMetrics = true
    generator.makesSecrets = false
    let text = try generator.render().lines.filter {
      !$0.hasPrefix("signing_key_path") && !$0.hasPrefix("log_config")
    }
    let full = text.joined(separator: "\n") + "\nsigning_key: ed25519 a_1 u6lYH01rFqRU1xtr3n20hSzi3tUsOcm/396itqQhYX4\n"
    let (config, _) = try HomeserverConfig.parse([("c", Array(full.utf8))], role: .homeserver)
    #expect(
      config.listeners.map(\.endpoint) == [
        .tcp(addresses: ["::", "0.0.0.0"], port: 8008), .tcp(addresses: ["0.0.0.0"], port: 19090),
      ])
    #expect(config.server.keepsMetrics && config.registration.sharedSecret == nil)
    generator.serverName = "not a name"
    #expect(throws: ConfigError.self) { try generator.render() }
  }

  @Test func signingKeysSurviveTheirTextForm() throws {
    let key = SigningKey.generate()
    #expect(SigningKey(line: key.line) == key)
    for line in ["", "ed25519 a_1", "rsa a_1 AAAA", "ed25519 a_1 AAAA", "ed25519 a:1 \(ConfigText.seed)"] {
      #expect(SigningKey(line: line) == nil)
    }
  }
}
