import MatrixPrimitives
import Outbound
import ServerConfig
import Templates

/// The writing and sending of mails.
public final class Mailer: Sendable {
  private let settings: EmailSettings
  private let serverName: Text
  private let library: TemplateLibrary
  private let client: OutboundClient
  private let clock: ServerClock

  /// Makes a mailer.
  public init(
    settings: EmailSettings, serverName: Text, library: TemplateLibrary, client: OutboundClient, clock: ServerClock
  ) {
    self.settings = settings
    self.serverName = serverName
    self.library = library
    self.client = client
    self.clock = clock
  }

  /// A mail before it is written.
  public struct Draft: Sendable {
    /// The address of the recipient.
    public var recipient: Text
    /// The subject, with places such as `%(app)s`.
    public var subject: Text
    /// The name of the template of the HTML part.
    public var html: Text
    /// The name of the template of the text part.
    public var text: Text
    /// The values of both templates, besides `app_name` and `server_name`.
    public var values: [Text: TemplateValue]

    /// Describes a mail.
    public init(recipient: Text, subject: Text, html: Text, text: Text, values: [Text: TemplateValue] = [:]) {
      self.recipient = recipient
      self.subject = subject
      self.html = html
      self.text = text
      self.values = values
    }
  }

  /// Writes a mail and brings it to the server that takes mails.
  ///
  /// - Throws: `TemplateError` for a broken template, `OutboundError` when the server did not take the mail.
  public func send(_ draft: Draft) async throws {
    guard let recipient = EmailAddress.bare(draft.recipient), let sender = EmailAddress.bare(senderField) else {
      throw OutboundError.failed("malformed address")
    }
    try await client.send(
      OutboundMail(
        url: url, connectTo: connectTo, user: settings.server.user, password: settings.server.password, tls: tls,
        sender: "<\(sender)>", recipient: "<\(recipient)>", message: try message(draft, to: recipient)))
  }

  /// Writes the whole message.
  func message(_ draft: Draft, to recipient: Text) throws(TemplateError) -> [UInt8] {
    var values = draft.values
    values["app_name"] = .text(settings.appName)
    values["server_name"] = .text(serverName)
    let message = MailMessage(
      sender: senderField, recipient: recipient,
      subject: MailMessage.filled(draft.subject, ["app": settings.appName, "server_name": serverName]),
      text: try library.render(draft.text, values), html: try library.render(draft.html, values),
      milliseconds: clock.nowMilliseconds, host: host)
    return message.bytes
  }

  private var senderField: Text { MailMessage.filled(settings.sender, ["app": settings.appName]) }

  /// The server's own host, for greetings and identifiers.
  private var host: Text { serverName.hasPrefix("[") ? "localhost" : serverName.cut(at: ":")?.before ?? serverName }

  private var url: Text {
    let server = settings.server
    let name = server.usesTLS ? server.tlsName ?? server.host : server.host
    return "\(server.forcesTLS ? "smtps" : "smtp" as Text)://\(Self.bracketed(name)):\(server.port)/\(host)"
  }

  /// Where the name in the certificate is not the host's: the host all the same.
  private var connectTo: Text? {
    let server = settings.server
    guard server.usesTLS, let name = server.tlsName, name != server.host else { return nil }
    return "\(Self.bracketed(name)):\(server.port):\(Self.bracketed(server.host)):\(server.port)"
  }

  private static func bracketed(_ host: Text) -> Text {
    host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
  }

  private var tls: OutboundMail.TLS {
    let server = settings.server
    return server.forcesTLS || server.requiresTLS ? .always : server.usesTLS ? .offered : .never
  }
}
