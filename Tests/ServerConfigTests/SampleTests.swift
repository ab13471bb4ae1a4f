import ByteText
import Foundation
import ServerConfig
import Testing

/// The files of `Configs`, which load without a warning.
@Suite struct SampleTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
      "Configs")

  /// Reads samples with the paths of an installation replaced by those of a scratch folder.
  private func load(
    _ names: [Text], role: HomeserverConfig.Role
  ) throws -> (HomeserverConfig, warnings: [Text]) {
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("sample-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let log = try String(contentsOf: Self.folder.appendingPathComponent("log_config.yaml"), encoding: .utf8)
    try Data(log.utf8).write(to: URL(fileURLWithPath: scratch + "/log_config.yaml"))
    var paths: [Text] = []
    for (index, name) in names.enumerated() {
      let text = Text(try String(contentsOf: Self.folder.appendingPathComponent(name.string), encoding: .utf8))
      paths.append("\(scratch)/\(index).yaml")
      try Data(text.replacing("/etc/matrix-synapse", with: Text(scratch)).utf8)
        .write(to: URL(fileURLWithPath: paths[index].string))
    }
    #expect(try ConfigGenerator.writeMissingFiles(paths: paths).count == 4)
    return try HomeserverConfig.load(paths: paths, role: role)
  }

  @Test func mainSampleLoads() throws {
    let (config, warnings) = try load(["homeserver.yaml"], role: .homeserver)
    #expect(warnings.isEmpty)
    #expect(config.writers(of: .events) == ["event_persister1", "event_persister2"])
    #expect(config.registration.sharedSecret?.utf8.count == 50)
  }

  @Test(arguments: ["generic_worker", "event_persister"])
  func workerSamplesLoad(_ name: Text) throws {
    let (config, warnings) = try load(["homeserver.yaml", "workers/\(name).yaml"], role: .worker)
    #expect(warnings.isEmpty)
    #expect(config.isWriter(of: .events) == (name == "event_persister"))
    #expect(config.listeners.count == 1)
  }
}
