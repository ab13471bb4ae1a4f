import CScan
import CUnistring
import Glibc

/// Text in the form in which people search for it: in every script alike, whatever case and width its letters have.
///
/// The form is Unicode's full case folding between two normalisations to NFKC: `Straße` is found by `STRASSE`, `Öach` by `o\u{308}ACH`.
/// It is for searches only. Patterns that compare character by character fold as ``FoldedText`` does, identifiers by ASCII or not at
/// all (`Docs/text.md`).
public struct SearchText: Sendable, Hashable {
  /// The folded text in UTF-8.
  public let bytes: [UInt8]

  /// Folds text, in time linear in its length.
  public init(_ text: Text) {
    bytes = Self.folded(Array(text.utf8))
  }

  /// Returns whether another text occurs in this one; the empty text occurs in any.
  public func contains(_ other: SearchText) -> Bool {
    other.bytes.isEmpty || cscan_contains(bytes, bytes.count, other.bytes, other.bytes.count) != 0
  }

  private static func folded(_ source: [UInt8]) -> [UInt8] {
    guard source.contains(where: { $0 >= 0x80 }) else {
      return source.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }
    // Compatibility characters such as U+3392 have letters of both cases only once they are decomposed.
    let normal = mapped(source, by: cunistring_nfkc)
    return mapped(normal, by: cunistring_casefold_nfkc)
  }

  /// Returns UTF-8 normalised to NFKC.
  static func normalized(_ source: [UInt8]) -> [UInt8] {
    source.contains { $0 >= 0x80 } ? mapped(source, by: cunistring_nfkc) : source
  }

  /// Runs one of the library's functions; the text stays as it is when there is no memory.
  private static func mapped(
    _ text: [UInt8],
    by function: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Int>?) -> UnsafeMutablePointer<UInt8>?
  ) -> [UInt8] {
    var count = 0
    guard let result = function(text, text.count, &count) else { return text }
    defer { free(result) }
    return Array(UnsafeBufferPointer(start: result, count: count))
  }
}
