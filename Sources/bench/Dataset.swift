import Foundation

/// One user of the data.
struct Account: Codable, Sendable {
  let id: String
  let token: String
  let password: String

  var localpart: String { String(id.dropFirst().prefix { $0 != ":" }) }
}

/// Rooms that have the same members.
struct RoomGroup: Codable, Sendable {
  let rooms: [String]
  let members: [Account]
}

/// The users and rooms that scenarios use, as they were made on a server and written to a file.
struct Dataset: Codable, Sendable {
  /// By name: `anchor`, `large`, `wide`, `wider`, `open`.
  var groups: [String: RoomGroup]
  /// Users who are in no room.
  var outsiders: [Account]

  /// - Throws: `BenchError` when the data are without such rooms.
  func group(_ name: String) throws -> RoomGroup {
    guard let group = groups[name], !group.rooms.isEmpty, !group.members.isEmpty else {
      throw BenchError("the data have no rooms named \(name)")
    }
    return group
  }

  static func read(_ path: String) throws -> Dataset {
    try JSONDecoder().decode(Dataset.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  func write(_ path: String) throws {
    try JSONEncoder().encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}
