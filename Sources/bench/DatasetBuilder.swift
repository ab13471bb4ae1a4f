import Foundation

/// Users, rooms, members and messages, made through the client-server API in the same order with the same texts each
/// time.
struct DatasetBuilder: Sendable {
  let api: ClientAPI
  let shape: DatasetShape
  let sharedSecret: String?
  /// The number of requests that are under way at the same time.
  let width: Int
  /// Called with what is made, to show progress.
  let progress: @Sendable (String) -> Void

  func build() async throws -> Dataset {
    var groups: [String: RoomGroup] = [:]
    groups["anchor"] = try await group("anchor", rooms: shape.rooms, members: shape.members, messages: shape.messages)
    if shape.largeMembers > 0 {
      groups["large"] = try await group("large", rooms: 1, members: shape.largeMembers, messages: 30)
    }
    for (name, rooms) in [("wide", shape.wideRooms), ("wider", shape.widerRooms)] where rooms > 0 {
      groups[name] = try await group(name, rooms: rooms, members: shape.wideMembers, messages: 20)
    }
    if shape.openRooms > 0 {
      groups["open"] = try await group("open", rooms: shape.openRooms, members: 1, messages: 0)
    }
    let outsiders = try await users("outsider", shape.outsiders)
    return Dataset(groups: groups, outsiders: outsiders)
  }

  private func users(_ name: String, _ count: Int) async throws -> [Account] {
    try await each(count) { number in
      try await api.register(
        "\(shape.prefix)-\(name)-\(number)", password: "password-\(number)", sharedSecret: sharedSecret)
    }
  }

  private func group(_ name: String, rooms: Int, members: Int, messages: Int) async throws -> RoomGroup {
    let begun = Date()
    let accounts = try await users(name, members)
    guard let creator = accounts.first else { throw BenchError("a group needs a member") }
    let identifiers = try await each(rooms) { number in try await api.createRoom("\(name) \(number)", by: creator) }
    // Neighbouring numbers are of different rooms, so that joins of one room do not wait for each other.
    let joiners = accounts.dropFirst().count
    _ = try await each(rooms * joiners) { number in
      try await api.join(identifiers[number % rooms], accounts[1 + number / rooms])
    }
    _ = try await each(rooms) { number in
      for message in 0..<messages {
        try await api.send(
          "Message \(message) of room \(number): " + Words.text(seed: message), to: identifiers[number],
          transaction: "seed-\(name)-\(number)-\(message)", by: accounts[message % accounts.count])
      }
      return number
    }
    let seconds = String(format: "%.1f", Date().timeIntervalSince(begun))
    progress("\(name): \(rooms) rooms of \(members) members with \(messages) messages each, \(seconds) s")
    return RoomGroup(rooms: identifiers, members: accounts)
  }

  /// Runs a step for each number, several at a time, and gives the results in the numbers' order.
  private func each<T: Sendable>(_ count: Int, _ step: @escaping @Sendable (Int) async throws -> T) async throws -> [T]
  {
    try await withThrowingTaskGroup(of: (Int, T).self) { group in
      var results: [T?] = Array(repeating: nil, count: count)
      var next = 0
      while next < min(width, count) {
        let number = next
        group.addTask { (number, try await step(number)) }
        next += 1
      }
      while let (number, result) = try await group.next() {
        results[number] = result
        if next < count {
          let number = next
          group.addTask { (number, try await step(number)) }
          next += 1
        }
      }
      return results.compactMap { $0 }
    }
  }
}
