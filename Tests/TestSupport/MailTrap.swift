import ByteText
import Foundation
import Glibc
import Synchronization

/// A server that takes mails and keeps them, on a port of its own of this machine.
public final class MailTrap: Sendable {
  /// The one of this process, which is started with its first use.
  public static let shared = MailTrap()

  /// The port.
  public let port: Int
  private let mails = Mutex<[Mail]>([])

  /// A mail that was taken.
  public struct Mail: Sendable {
    /// The address of the envelope.
    public let recipient: Text
    /// The text part, decoded.
    public let text: Text
  }

  private init() {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, size)
        _ = getsockname(listener, $0, &size)
      }
    }
    listen(listener, 16)
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection >= 0 { Thread.detachNewThread { [self] in serve(connection) } }
      }
    }
  }

  /// Finds the last mail to an address.
  public func last(to recipient: Text) -> Mail? { mails.withLock { $0.last { $0.recipient == recipient } } }

  /// Finds the link in the last mail to an address.
  public func link(to recipient: Text) -> Text? {
    last(to: recipient)?.text.words.first { $0.hasPrefix("http") }
  }

  private func serve(_ connection: Int32) {
    guard let file = fdopen(connection, "r+") else { return }
    defer { fclose(file) }
    func say(_ line: Text) {
      _ = line.string.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }
    func line() -> Text? {
      var buffer = [CChar](repeating: 0, count: 4096)
      guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
      return Text(cString: buffer).trimmed
    }
    var (recipient, body, isBody) = (Text(), [Text](), false)
    say("220 trap\r\n")
    while let next = line() {
      if isBody {
        if next == "." {
          isBody = false
          let mail = Mail(recipient: recipient, text: Self.textPart(body))
          mails.withLock { $0.append(mail) }
          say("250 ok\r\n")
        } else {
          body.append(next)
        }
      } else if next.asciiUppercased.hasPrefix("DATA") {
        (isBody, body) = (true, [])
        say("354 go on\r\n")
      } else if next.asciiUppercased.hasPrefix("QUIT") {
        say("221 bye\r\n")
        return
      } else {
        if next.asciiUppercased.hasPrefix("RCPT TO:"), let part = next.cut(at: "<")?.after.cut(at: ">") {
          recipient = part.before
        }
        say("250 ok\r\n")
      }
    }
  }

  /// Decodes the first part of a message.
  private static func textPart(_ lines: [Text]) -> Text {
    let part = lines.drop { !$0.hasPrefix("Content-Transfer-Encoding") }.dropFirst(2).prefix { !$0.hasPrefix("--") }
    return Text(decoding: Data(base64Encoded: Array(part).joined().string) ?? Data(), as: UTF8.self)
  }
}
