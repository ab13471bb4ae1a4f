import ByteText
import MatrixEvents

extension EventRelation {
  /// The limit on a key in bytes: those of the 500 characters that clients of this server may send. The database
  /// indexes keys together with event id and kind of relation, and an entry of such an index has to stay below 2,704
  /// bytes.
  private static let longestIndexedKey = 2_000

  /// The key as table `event_relations` keeps it; nil where there is none or the table could not hold it.
  var indexedKey: Text? {
    guard let key, key.utf8.count <= Self.longestIndexedKey, !key.utf8.contains(0) else { return nil }
    return key
  }
}
