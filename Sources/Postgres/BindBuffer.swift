import ByteText
import Glibc

/// The values of a statement in one piece of memory, in the form in which libpq takes them.
struct BindBuffer {
  /// What a buffer keeps for the next statement, in bytes; there is one for each connection.
  private static let largestKept = 64 << 10

  private var bytes: [UInt8] = []
  private var offsets: [Int?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []

  /// Replaces what is in the buffer.
  ///
  /// - Throws: `PostgresError` with code `unstorableText` for text with a NUL, `invalidParameter` for too many or too large values.
  mutating func load(_ binds: [SQLValue]) throws(PostgresError) {
    if bytes.capacity > Self.largestKept { bytes = [] }
    bytes.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    formats.removeAll(keepingCapacity: true)
    guard binds.count <= 65_535 else {
      throw PostgresError(code: .invalidParameter, message: "\(binds.count) values in one statement, at most 65535 go")
    }
    for bind in binds { try append(bind) }
    guard bytes.count < Int(Int32.max) else {
      throw PostgresError(code: .invalidParameter, message: "values of \(bytes.count) bytes in one statement")
    }
    bytes.append(0)
  }

  private mutating func append(_ bind: SQLValue) throws(PostgresError) {
    let start = bytes.count
    switch bind {
    case .null:
      offsets.append(nil)
      lengths.append(0)
      formats.append(0)
      return
    case .bytes(let value):
      bytes.append(contentsOf: value)
      lengths.append(Int32(clamping: value.count))
      formats.append(1)
    case .integer(let value):
      bytes.append(contentsOf: Text(value).utf8)
      endText()
    case .text(let value):
      bytes.append(contentsOf: value.utf8)
      try refuseNUL(from: start)
      endText()
    case .textBytes(let value):
      bytes.append(contentsOf: value)
      try refuseNUL(from: start)
      endText()
    }
    offsets.append(start)
  }

  private mutating func endText() {
    bytes.append(0)
    lengths.append(0)
    formats.append(0)
  }

  /// libpq takes text up to its first NUL, so that one inside would cut the value short in silence.
  private func refuseNUL(from start: Int) throws(PostgresError) {
    let isClean = bytes.withUnsafeBytes { raw in
      guard start < raw.count, let base = raw.baseAddress else { return true }
      return memchr(base + start, 0, raw.count - start) == nil
    }
    guard isClean else { throw PostgresError(code: .unstorableText, message: "text with a NUL cannot be stored") }
  }

  /// Lends the arrays that `PQsendQueryPrepared` and its kin take.
  func withArguments<R>(
    _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> R
  ) -> R {
    bytes.withUnsafeBytes { raw in
      let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
      let pointers = offsets.map { offset in offset.flatMap { start in base.map { $0 + start } } }
      return body(Int32(pointers.count), pointers, lengths, formats)
    }
  }
}
