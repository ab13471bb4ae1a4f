import FoundationEssentials
import Glibc
import MatrixPrimitives
import ServerConfig

/// A message with a part as text and one as HTML (RFC 5322, RFC 2045).
///
/// No value can begin a header field of its own: control characters become spaces, and what is not ASCII is encoded.
struct MailMessage {
  let sender: Text
  let recipient: Text
  let subject: Text
  let text: Text
  let html: Text
  let milliseconds: Int64
  /// The host in the message's identifier.
  let host: Text

  /// The message with CRLF between lines.
  var bytes: [UInt8] {
    let boundary = "=_\(RandomString.alphanumeric(32))"
    let fields: [(Text, Text)] = [
      ("MIME-Version", "1.0"), ("Content-Type", "multipart/alternative; boundary=\"\(boundary)\""),
      ("Subject", Self.unstructured(subject)), ("From", Self.mailbox(sender)), ("To", Self.plain(recipient)),
      ("Date", Self.date(milliseconds)), ("Message-ID", "<\(RandomString.alphanumeric(24))@\(Self.plain(host))>"),
      // No programs are to answer (RFC 3834, and a field of Exchange's).
      ("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"),
    ]
    var message = fields.map { "\($0.0): \($0.1)\r\n" as Text }.joined() + "\r\n"
    for (type, body) in [("plain", text), ("html", html)] as [(Text, Text)] {
      message += "--\(boundary)\r\nContent-Type: text/\(type); charset=\"utf-8\"\r\n"
      message += "Content-Transfer-Encoding: base64\r\n\r\n\(Self.lines(of: Self.base64(body)))\r\n"
    }
    return Array((message + "--\(boundary)--\r\n").utf8)
  }

  /// Fills the places of a text, such as `%(app)s`.
  static func filled(_ text: Text, _ values: [Text: Text]) -> Text {
    var (result, rest) = (Text(), text)
    while let (before, after) = rest.cut(at: "%") {
      result += before
      rest = after
      if let more = rest.dropping(prefix: "%") {
        result += "%"
        rest = more
      } else if let (name, more) = rest.dropping(prefix: "(")?.cut(at: ")s"), let value = values[name] {
        result += value
        rest = more
      } else {
        result += "%"
      }
    }
    return result + rest
  }

  // MARK: Fields

  private static func plain(_ text: Text) -> Text {
    Text(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
  }

  /// Encodes a text that is not ASCII, in words of at most 75 characters (RFC 2047).
  private static func unstructured(_ text: Text) -> Text {
    let text = plain(text)
    if text.utf8.allSatisfy({ $0 < 0x80 }), text.utf8.count <= 900 { return text }
    var (words, word) = ([Text](), Text())
    for scalar in text.unicodeScalars {
      let next = Text(scalar)
      if word.utf8.count + next.utf8.count > 42 {
        words.append(word)
        word = ""
      }
      word += next
    }
    if !word.isEmpty { words.append(word) }
    return words.map { "=?utf-8?b?\(base64($0))?=" as Text }.joined(separator: "\r\n ")
  }

  /// Encodes the name of `Name <address>`.
  private static func mailbox(_ text: Text) -> Text {
    guard let address = EmailAddress.bare(text) else { return plain(text) }
    let rest = text.trimmed
    guard rest.hasSuffix(">"), let start = rest.utf8.lastIndex(of: UInt8(ascii: "<")) else { return plain(address) }
    let name = Text(rest.utf8[..<start]).trimmed
    if name.isEmpty { return "<\(address)>" }
    return "\(unstructured(name)) <\(plain(address))>"
  }

  private static func date(_ milliseconds: Int64) -> Text {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> Text { number < 10 ? "0\(number)" : "\(number)" }
    let (day, month) = (days[Int(parts.tm_wday) % 7], months[Int(parts.tm_mon) % 12])
    let time = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return "\(day), \(two(parts.tm_mday)) \(month) \(Int(parts.tm_year) + 1900) \(time) -0000"
  }

  // MARK: Bodies

  private static func base64(_ text: Text) -> Text { Text(Data(text.utf8).base64EncodedString()) }

  /// Divides into lines of 76 characters.
  private static func lines(of text: Text) -> Text {
    let bytes = Array(text.utf8)
    return stride(from: 0, to: bytes.count, by: 76).map {
      Text(decoding: bytes[$0..<min($0 + 76, bytes.count)], as: UTF8.self)
    }.joined(separator: "\r\n")
  }
}
