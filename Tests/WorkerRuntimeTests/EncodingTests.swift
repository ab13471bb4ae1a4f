import ByteText
import CZlib
import Testing

@testable import WorkerRuntime

@Suite struct EncodingTests {
  @Test(
    arguments: [
      (nil, false), ("", false), ("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("*", true),
      ("identity", false), ("GZIP", true), ("br , gzip ; q=1.0", true), ("gzip;q=nonsense", true),
    ] as [(String?, Bool)])
  func `sees whether gzip is accepted`(field: String?, expected: Bool) {
    #expect(GzipEncoder.isAccepted(field.map { Text($0) }) == expected)
  }

  @Test(arguments: [0, 1, 1_000, 1_000_000])
  func `compresses to what zlib reads back`(count: Int) throws {
    let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 3) }
    let encoded = try #require(GzipEncoder.encode(body))
    #expect(Self.inflate(encoded, capacity: count + 1) == body)
    if count > 1_000 { #expect(encoded.count < body.count / 10) }
  }

  static func inflate(_ encoded: [UInt8], capacity: Int) -> [UInt8] {
    var stream = z_stream()
    inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { inflateEnd(&stream) }
    var input = encoded
    return input.withUnsafeMutableBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(capacity)
        CZlib.inflate(&stream, Z_FINISH)
        count = capacity - Int(stream.avail_out)
      }
    }
  }

  @Test func `writes dates as HTTP wants them`() {
    #expect(HTTPDate().field(second: 784_111_777).value == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(HTTPDate().field(second: 0).value == "Thu, 01 Jan 1970 00:00:00 GMT")
  }

  @Test func `writes metrics with escaped labels`() {
    var text = MetricsText()
    text.family("m_total", .counter, help: "Help.", [([("a", "x\"\\\n")], 3), ([], 0.5)])
    #expect(text.text == "# HELP m_total Help.\n# TYPE m_total counter\nm_total{a=\"x\\\"\\\\\\n\"} 3\nm_total 0.5\n")
  }
}
