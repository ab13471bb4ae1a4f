import Foundation
import MatrixPrimitives
import Testing

@testable import Mail

/// The form of messages.
@Suite struct MailMessageTests {
  private static func message(sender: Text = "Server <a@x>", subject: Text = "Hello", text: Text = "t") -> Text {
    let message = MailMessage(
      sender: sender, recipient: "b@y", subject: subject, text: text, html: "<p>h</p>", milliseconds: 0, host: "x")
    return Text(decoding: message.bytes, as: UTF8.self)
  }

  @Test func hasTwoPartsAndTheFieldsOfAutomaticMail() {
    let message = Self.message(text: "grüße")
    #expect(message.contains("\r\nSubject: Hello\r\nFrom: Server <a@x>\r\nTo: b@y\r\n"))
    #expect(message.contains("Date: Thu, 01 Jan 1970 00:00:00 -0000\r\n"))
    #expect(message.contains("Auto-Submitted: auto-generated\r\n"))
    #expect(message.contains("text/plain; charset=\"utf-8\"") && message.contains("text/html; charset=\"utf-8\""))
    #expect(message.contains(Text(Data("grüße".utf8).base64EncodedString())))
    #expect(message.split(separator: UInt8(ascii: "\n")).allSatisfy { $0.utf8.count <= 998 })
  }

  @Test func noValueBeginsAFieldOfItsOwn() {
    for message in [
      Self.message(subject: "a\r\nBcc: c@z"), Self.message(subject: "ä\r\nBcc: c@z"),
      Self.message(sender: "N\r\nBcc: c@z <a@x>"),
    ] {
      #expect(!message.contains("\nBcc:"))
    }
    let long = Self.message(subject: Text(repeating: "ü", count: 500))
    #expect(long.contains("Subject: =?utf-8?b?") && long.contains("?=\r\n =?utf-8?b?"))
  }

  @Test func placesAreFilled() {
    #expect(MailMessage.filled("[%(app)s] 100%% %(other)s %x", ["app": "M"]) == "[M] 100% %(other)s %x")
  }
}
