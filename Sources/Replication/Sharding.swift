import ByteText
import Crypto

/// The division of keys among the instances that share a duty, exactly as every other process of the cluster does it.
public enum Sharding {
  /// Returns the instance that is responsible for a key.
  ///
  /// The SHA-256 of the key, read as a little-endian number, modulo the number of instances selects the entry.
  /// Observed on Synapse's wire.
  /// - Parameters:
  ///   - key: room id for event persisters, server name for federation senders, user id for pushers.
  ///   - instances: instances in the order in which the configuration lists them.
  /// - Returns: the instance, or nil when the list is empty.
  public static func instance(for key: Text, in instances: [Text]) -> Text? {
    guard let index = index(for: key, count: instances.count) else { return nil }
    return instances[index]
  }

  static func index(for key: Text, count: Int) -> Int? {
    guard count > 0 else { return nil }
    guard count > 1 else { return 0 }
    let modulus = UInt64(count)
    let digest = Array(SHA256.hash(data: Array(key.utf8)))
    // Horner's scheme from the most significant (last) byte; the remainder stays far below 2^56 for any list.
    let remainder = digest.reversed().reduce(UInt64(0)) { ($0 * 256 + UInt64($1)) % modulus }
    return Int(remainder)
  }
}
