import Crypto
import MatrixPrimitives
import ServerConfig
import Stores
import Templates

/// The administrator's pages of the policy that users agree to (`user_consent`).
public final class ConsentPages: Sendable {
  /// The folder of the only language that Synapse looks for.
  private static let language = "en"

  private let settings: ConsentSettings
  private let serverName: Text
  private let secret: Text?
  private let store: ConsentStore
  private let library: TemplateLibrary
  private let clock: ServerClock

  init(config: HomeserverConfig, store: ConsentStore, clock: ServerClock) {
    settings = config.consent
    serverName = config.serverName
    secret = config.formSecret
    self.store = store
    self.clock = clock
    library = TemplateLibrary(
      folders: [config.consent.templateFolder], serverName: config.serverName, publicBaseURL: config.publicBaseURL,
      sources: [:])
  }

  /// Whether there is a policy.
  public var isEnabled: Bool { settings.version != nil && secret != nil }

  /// Makes the page of the policy.
  ///
  /// - Parameters:
  ///   - version: nil for the present one.
  ///   - user: the user's localpart or ID; nil for somebody who only reads.
  ///   - hash: what proves that the link was made for the user.
  /// - Throws: `MatrixError` 403 for a wrong hash, 404 for a version or a user that is not there.
  public func page(version: Text?, user: Text?, hash: Text?) async throws -> Text {
    let version = version ?? settings.version ?? ""
    let user = user ?? ""
    var hasConsented = false
    if !user.isEmpty {
      guard let hash else { throw MatrixError.missingParam("Missing required string query parameter h") }
      try check(hash, of: user)
      hasConsented = try await store.version(of: try qualified(user)) == version
    }
    return try render(
      version,
      [
        "user": .text(user), "userhmac": user.isEmpty ? .none : .text(hash ?? ""), "version": .text(version),
        "has_consented": .bool(hasConsented), "public_version": .bool(user.isEmpty),
      ], else: "Unknown policy version")
  }

  /// Notes that a user has agreed.
  ///
  /// - Returns: the page that says so.
  public func agree(version: Text, user: Text, hash: Text) async throws -> Text {
    try check(hash, of: user)
    guard !version.utf8.contains(0), version.utf8.count <= 255 else {
      throw MatrixError.notFound("Unknown policy version")
    }
    let id = try qualified(user)
    _ = try await store.version(of: id)
    try await store.agree(id, to: version, nowMilliseconds: clock.nowMilliseconds)
    return try render("success", [:], else: "success.html not found")
  }

  private func render(_ page: Text, _ values: [Text: TemplateValue], else missing: Text) throws -> Text {
    // The name comes from the link: it names a file of the folder, nothing elsewhere.
    guard !page.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 < 0x20 }), !page.hasPrefix("."),
      page.utf8.count <= 200, library.has("\(Self.language)/\(page).html")
    else { throw MatrixError.notFound(missing) }
    return try library.render("\(Self.language)/\(page).html", values)
  }

  private func qualified(_ user: Text) throws(MatrixError) -> UserID {
    guard let id = UserID(user.hasPrefix("@") ? user : "@\(user):\(serverName)") else {
      throw .notFound("Unknown user")
    }
    return id
  }

  private func check(_ hash: Text, of user: Text) throws(MatrixError) {
    let key = SymmetricKey(data: Array((secret ?? "").utf8))
    let wanted = Text(hexadecimal: HMAC<SHA256>.authenticationCode(for: Array(user.utf8), using: key))
    // Every byte is looked at, so that the time reveals nothing about where they differ.
    let difference = zip(wanted.utf8, hash.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
    guard secret != nil, wanted.utf8.count == hash.utf8.count, difference == 0 else {
      throw .forbidden("HMAC incorrect")
    }
  }
}
