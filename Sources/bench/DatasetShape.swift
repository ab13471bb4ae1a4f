import ArgumentParser

/// The size of the data that are made on a server.
struct DatasetShape: ParsableArguments, Sendable {
  @Option(help: "Rooms of the ordinary kind (group anchor).")
  var rooms = 16

  @Option(help: "Members of each of them.")
  var members = 40

  @Option(help: "Messages in each of them.")
  var messages = 120

  @Option(help: "Members of one large room (group large); 0 leaves it out.")
  var largeMembers = 1000

  @Option(help: "Rooms of users who are in many rooms (group wide); 0 leaves them out.")
  var wideRooms = 0

  @Option(help: "Rooms of users who are in very many rooms (group wider); 0 leaves them out.")
  var widerRooms = 0

  @Option(help: "Members of each wide and wider room.")
  var wideMembers = 300

  @Option(help: "Public rooms with only their creator, for joining (group open).")
  var openRooms = 16

  @Option(help: "Users in no room, for joining the large one.")
  var outsiders = 400

  @Option(help: "What the names of the users begin with. The same data can be made once with each.")
  var prefix = "bench"

  func validate() throws {
    let counts = [rooms, members, messages, largeMembers, wideRooms, widerRooms, wideMembers, openRooms, outsiders]
    guard counts.allSatisfy({ (0...1_000_000).contains($0) }), rooms > 0, members > 1 else {
      throw ValidationError("Sizes are not negative, and there is a room with two members.")
    }
  }
}
