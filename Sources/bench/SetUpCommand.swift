import ArgumentParser
import Foundation

/// The command that makes the data that scenarios use.
struct SetUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup", abstract: "Makes users, rooms and messages on a server and notes them in the data file.")

  @OptionGroup var server: ServerArguments
  @OptionGroup var shape: DatasetShape

  func run() async throws {
    try await server.withAPI { api in _ = try await Self.data(server, shape, api) }
  }

  /// Reads the data file, or makes the data and writes it.
  static func data(_ server: ServerArguments, _ shape: DatasetShape, _ api: ClientAPI) async throws -> Dataset {
    if FileManager.default.fileExists(atPath: server.data) { return try Dataset.read(server.data) }
    let builder = DatasetBuilder(
      api: api, shape: shape, sharedSecret: server.sharedSecret, width: 32,
      progress: { FileHandle.standardError.write(Data(($0 + "\n").utf8)) })
    let dataset = try await builder.build()
    try dataset.write(server.data)
    return dataset
  }
}
