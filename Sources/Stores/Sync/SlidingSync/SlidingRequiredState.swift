import MatrixPrimitives

/// The entries of a room's state that a client of sliding sync wants: state keys by type, either of which may be `*`; `$ME` stands for the user
/// and `$LAZY` for the members that the timeline mentions.
///
/// Stored form, as Synapse's: the pairs of type and state key, sorted, as JSON: `[["m.room.create",""],["m.room.member","$LAZY"]]`.
public struct SlidingRequiredState: Hashable, Sendable {
  /// The word for any type and any state key.
  public static let wildcard: Text = "*"
  /// The state key that stands for the user.
  public static let me: Text = "$ME"
  /// The state key that stands for the members that the timeline mentions.
  public static let lazy: Text = "$LAZY"

  /// The wanted state keys by type; none of the sets is empty.
  public var keys: [Text: Set<Text>]

  /// Makes a choice of state from its stored content.
  public init(keys: [Text: Set<Text>] = [:]) { self.keys = keys }

  /// The estimated memory, in bytes.
  var weight: Int {
    keys.reduce(0) { sum, entry in
      entry.value.reduce(sum + 96 + entry.key.utf8.count) { $0 + 48 + $1.utf8.count }
    }
  }

  /// The stored form.
  public var stored: Text {
    var writer = JSONWriter()
    writer.beginArray()
    for (type, stateKeys) in keys.sorted(by: { $0.key < $1.key }) {
      for stateKey in stateKeys.sorted() {
        writer.beginArray()
        writer.value(type)
        writer.value(stateKey)
        writer.endArray()
      }
    }
    writer.endArray()
    return Text(decoding: writer.bytes, as: UTF8.self)
  }

  /// Reads the stored form; what is no pair of texts is passed over.
  ///
  /// - Throws: `JSONError` when it is not JSON.
  public init(stored: Text) throws {
    keys = [:]
    guard let pairs = try JSONValue.parse(stored).elements else { return }
    for pair in pairs {
      guard let type = pair[0]?.string, let stateKey = pair[1]?.string else { continue }
      keys[type, default: []].insert(stateKey)
    }
  }
}

/// How much of a room a client of sliding sync wants.
public struct SlidingRoomConfig: Hashable, Sendable {
  /// The greatest number of events in a timeline; 0 and less for no timeline.
  public var timelineLimit: Int
  /// The wanted state.
  public var requiredState: SlidingRequiredState

  /// Makes a configuration.
  public init(timelineLimit: Int, requiredState: SlidingRequiredState) {
    self.timelineLimit = timelineLimit
    self.requiredState = requiredState
  }
}
