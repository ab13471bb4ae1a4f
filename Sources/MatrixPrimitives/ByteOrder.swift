#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Compares text byte by byte.
///
/// Swift's own string comparison treats canonically equivalent texts as equal; Matrix identifiers and keys that differ in a byte are
/// different. For UTF-8 the order of bytes is the order of code points, which canonical JSON sorts by.
public enum ByteOrder {
  /// Tells whether two strings have the same UTF-8 bytes.
  public static func areEqual(_ a: String, _ b: String) -> Bool {
    guard a.utf8.count == b.utf8.count else { return false }
    return compare(a, b) == 0
  }

  /// Tells whether a string's UTF-8 bytes come before another's.
  public static func precedes(_ a: String, _ b: String) -> Bool {
    compare(a, b) < 0
  }

  /// Compares UTF-8 bytes: negative, zero or positive as `memcmp` does, a prefix coming first.
  public static func compare(_ a: String, _ b: String) -> Int {
    // Native strings lend their bytes as they are; asking for them in the way that works for all costs a copy of the string.
    let order = a.utf8.withContiguousStorageIfAvailable { first in
      b.utf8.withContiguousStorageIfAvailable { second in compare(first, second) }
    }
    if case .some(.some(let order)) = order { return order }
    var a = a
    var b = b
    return a.withUTF8 { first in b.withUTF8 { second in compare(first, second) } }
  }

  static func areEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    a.count == b.count && compare(a, b) == 0
  }

  static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    let shared = min(a.count, b.count)
    if shared > 0, let first = a.baseAddress, let second = b.baseAddress {
      let order = memcmp(first, second, shared)
      if order != 0 { return Int(order) }
    }
    return a.count - b.count
  }
}
