import Foundation

/// The paths of the client-server API that scenarios ask for.
enum Path {
  private static let plain = CharacterSet(
    charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

  static func quoted(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: plain) ?? text
  }

  static func rooms(_ room: String, _ rest: String) -> String { "/_matrix/client/v3/rooms/\(quoted(room))/\(rest)" }

  static func join(_ room: String) -> String { "/_matrix/client/v3/join/\(quoted(room))" }

  static func send(_ room: String, transaction: String) -> String {
    rooms(room, "send/m.room.message/\(transaction)")
  }

  /// Makes an inline sync filter, percent-encoded.
  /// - Parameters:
  ///   - timeline: Events a room; nil leaves it to the server.
  ///   - lazy: Whether only those members are sent who said something.
  static func filter(timeline: Int?, lazy: Bool) -> String {
    let limit = timeline.map { ["\"timeline\":{\"limit\":\($0)}"] } ?? []
    let members = ["\"state\":{\"lazy_load_members\":\(lazy)}"]
    return quoted("{\"room\":{\((limit + members).joined(separator: ","))}}")
  }
}
