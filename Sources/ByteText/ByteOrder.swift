#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Comparison of bytes. For UTF-8 their order is the order of code points, which canonical JSON sorts by.
public enum ByteOrder {
  /// Compares two texts as `memcmp` does, a prefix coming first: negative, zero or positive.
  public static func compare(_ a: Text, _ b: Text) -> Int {
    a.withBytes { first in b.withBytes { second in compare(first, second) } }
  }

  /// Compares bytes in memory in the same way.
  @inlinable
  public static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    let shared = min(a.count, b.count)
    if shared > 0, let first = a.baseAddress, let second = b.baseAddress {
      let order = memcmp(first, second, shared)
      if order != 0 { return Int(order) }
    }
    return a.count - b.count
  }

  /// Returns whether both are the same bytes.
  @inlinable
  public static func areEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    a.count == b.count && compare(a, b) == 0
  }
}
