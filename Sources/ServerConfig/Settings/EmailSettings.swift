import MatrixPrimitives

/// How mails are sent, and what they are made from.
public struct EmailSettings: Sendable, Hashable {
  /// The server that takes mails.
  public struct Server: Sendable, Hashable {
    /// The host's name.
    public var host: Text
    /// The port.
    public var port: Int
    /// The login; nil for none.
    public var user: Text?
    /// The password of the login.
    public var password: Text?
    /// Whether the connection begins with TLS.
    public var forcesTLS: Bool
    /// Whether a server that offers no TLS gets no mails.
    public var requiresTLS: Bool
    /// Whether TLS is used where the server offers it.
    public var usesTLS: Bool
    /// The name in the server's certificate, where it is not the host's.
    public var tlsName: Text?
  }

  /// The names of the templates that Synapse lets an administrator choose.
  public struct Templates: Sendable, Hashable {
    /// What proves the ownership of an address for: the names of its mails and pages.
    public struct Purpose: Sendable, Hashable {
      /// The mail as HTML.
      public var html: Text
      /// The mail as text.
      public var text: Text
      /// The page after success.
      public var success: Text
      /// The page after a failure.
      public var failure: Text

      init(_ section: SettingsSection, _ name: Text) throws(ConfigError) {
        html = try section.string("\(name)_template_html") ?? "\(name).html"
        text = try section.string("\(name)_template_text") ?? "\(name).txt"
        success = try section.string("\(name)_template_success_html") ?? "\(name)_success.html"
        failure = try section.string("\(name)_template_failure_html") ?? "\(name)_failure.html"
      }
    }

    /// A new account.
    public var registration: Purpose
    /// A new password.
    public var passwordReset: Purpose
    /// An address for an account.
    public var addition: Purpose
    /// The mail to an address that has an account, as HTML.
    public var inUseHTML: Text
    /// The mail to an address that has an account, as text.
    public var inUseText: Text
  }

  /// The subjects of mails, with places such as `%(app)s`.
  public struct Subjects: Sendable, Hashable {
    /// Of a new password.
    public var passwordReset: Text
    /// Of the confirmation of an address.
    public var validation: Text
    /// Of the mail to an address that has an account.
    public var inUse: Text
  }

  /// Whether there is a section `email` with something in it, which is what turns mails on.
  public var isConfigured: Bool
  /// The server that takes mails.
  public var server: Server
  /// The sender, with `%(app)s` in it.
  public var sender: Text
  /// The name by which the server's service is called in mails.
  public var appName: Text
  /// The folder of templates of old configurations.
  public var templateFolder: Text?
  /// How long the link of a mail is valid, in milliseconds.
  public var validationMilliseconds: Int64
  /// The names of the templates.
  public var templates: Templates
  /// The subjects.
  public var subjects: Subjects

  init(_ root: SettingsSection) throws(ConfigError) {
    let email = try root.section("email")
    isConfigured = !email.mapping.isEmpty
    server = try Self.server(email)
    appName = try email.string("app_name") ?? "Matrix"
    sender = try email.string("notif_from") ?? ""
    if isConfigured, EmailAddress.bare(sender) == nil {
      throw email.fail("notif_from", "found \"\(sender)\", expected the address from which mails are sent")
    }
    templateFolder = try email.string("template_dir")
    validationMilliseconds = try email.milliseconds("validation_token_lifetime", 3_600_000)
    templates = Templates(
      registration: try .init(email, "registration"), passwordReset: try .init(email, "password_reset"),
      addition: try .init(email, "add_threepid"),
      inUseHTML: try email.string("already_in_use_template_html") ?? "already_in_use.html",
      // The same setting names both (as on Synapse, where the text then is the page's).
      inUseText: try email.string("already_in_use_template_html") ?? "already_in_use.txt")
    // Of notifications, invitations and accounts that expire.
    email.accept(
      "client_base_url", "enable_notifs", "expiry_template_html", "expiry_template_text", "invite_client_location",
      "notif_delay_before_mail", "notif_for_new_users", "notif_template_html", "notif_template_text", "riot_base_url")
    let subjects = try email.section("subjects")
    subjects.accept(
      "invite_from_person", "invite_from_person_to_room", "message_from_person", "message_from_person_in_room",
      "messages_from_person", "messages_from_person_and_others", "messages_in_room", "messages_in_room_and_others",
      "invite_from_person_to_space")
    self.subjects = Subjects(
      passwordReset: try subjects.string("password_reset") ?? "[%(server_name)s] Password reset",
      validation: try subjects.string("email_validation") ?? "[%(server_name)s] Validate your email",
      inUse: try subjects.string("email_already_in_use") ?? "[%(server_name)s] Email already in use")
  }

  private static func server(_ email: SettingsSection) throws(ConfigError) -> Server {
    let forcesTLS = try email.bool("force_tls", false)
    let requiresTLS = try email.bool("require_transport_security", false)
    let usesTLS = try email.bool("enable_tls", true)
    for (key, value) in [("force_tls", forcesTLS), ("require_transport_security", requiresTLS)] where value && !usesTLS
    {
      throw email.fail(key, "found true with enable_tls: false, expected only one of the two")
    }
    return Server(
      host: try email.string("smtp_host") ?? "localhost",
      port: try email.integer("smtp_port", forcesTLS ? 465 : 25, in: 1...65_535), user: try email.text("smtp_user"),
      password: try email.text("smtp_pass"), forcesTLS: forcesTLS, requiresTLS: requiresTLS, usesTLS: usesTLS,
      tlsName: try email.string("tlsname"))
  }
}

/// Addresses of mail, as far as the server looks into them.
public enum EmailAddress {
  /// Takes the address out of `Name <address>` or of an address alone; nil for what is neither.
  public static func bare(_ text: Text) -> Text? {
    var address = text.trimmed
    if address.hasSuffix(">"), let start = address.utf8.lastIndex(of: UInt8(ascii: "<")) {
      address = Text(address.utf8[address.utf8.index(after: start)...].dropLast())
    }
    let parts = address.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
      !address.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || "<>()\",;".utf8.contains($0) })
    else { return nil }
    return address
  }
}
