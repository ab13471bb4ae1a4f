import Glibc
import MatrixPrimitives

/// The rules of e-mail addresses and telephone numbers.
public struct IdentitySettings: Sendable {
  /// What addresses of a kind have to look like.
  public struct Pattern: Sendable, Hashable {
    /// `email` or `msisdn`.
    public var medium: Text
    /// The regular expression that the beginning of an address matches.
    public var pattern: Text
  }

  /// The kinds of address that everybody who registers must have.
  public var required: Set<Text>
  /// The patterns of which one must match; empty for all addresses.
  public var allowed: [Pattern]
  /// Whether users may change their addresses.
  public var allowsChanges: Bool
  /// Whether registration does without telephone numbers.
  public var registersWithoutNumbers: Bool
  /// Whether a registration token stands in for the addresses that are required.
  public var tokenReplacesAddresses: Bool
  /// The server that sends codes to telephones, without a slash at the end; nil for none.
  public var numberDelegate: Text?
  /// Whether it is hidden that an address is, or is not, known.
  public var hidesKnowledge: Bool
  /// The hosts to which a link of a mail may lead on; nil for all.
  public var nextLinkHosts: Set<Text>?
  /// The networks to which no request goes that a user chose the address of.
  public var blockedNetworks: [Text]
  /// The exceptions.
  public var allowedNetworks: [Text]
  /// Whether certificates of other servers are checked; not in tests.
  public var checksCertificates: Bool
  /// The administrator's own templates.
  public var templateFolder: Text?

  init(_ root: SettingsSection, email: EmailSettings) throws(ConfigError) {
    required = Set(try root.strings("registrations_require_3pid"))
    allowsChanges = try root.bool("enable_3pid_changes", true)
    registersWithoutNumbers = try root.bool("disable_msisdn_registration", false)
    tokenReplacesAddresses = try root.bool("enable_registration_token_3pid_bypass", false)
    let delegates = try root.section("account_threepid_delegates")
    numberDelegate = try delegates.string("msisdn").map { $0.dropping(suffix: "/") ?? $0 }
    hidesKnowledge = try root.bool("request_token_inhibit_3pid_errors", false)
    nextLinkHosts = root.has("next_link_domain_whitelist") ? Set(try root.strings("next_link_domain_whitelist")) : nil
    templateFolder = try root.section("templates").string("custom_template_directory")
    checksCertificates = try !root.bool("use_insecure_ssl_client_just_for_testing_do_not_use", false)
    allowed = []
    for section in try root.sections("allowed_local_3pids") {
      let pattern = try section.text("pattern") ?? ""
      guard (try? Regex(pattern.string)) != nil else {  // what is wrong with it is not said better by the library
        throw section.fail("pattern", "found \"\(pattern)\", expected a regular expression")
      }
      allowed.append(Pattern(medium: try section.string("medium") ?? "", pattern: pattern))
    }
    let key = root.has("federation_ip_range_blacklist") ? "federation_ip_range_blacklist" : "ip_range_blacklist"
    // Where no list is written: networks that are not on the Internet (as Synapse).
    blockedNetworks = (root.has(key) ? try root.strings(key) : Self.privateNetworks) + ["0.0.0.0", "::"]
    allowedNetworks = key == "ip_range_blacklist" ? try root.strings("ip_range_whitelist") : []
    let networks = blockedNetworks.map { (key, $0) } + allowedNetworks.map { ("ip_range_whitelist", $0) }
    for (key, network) in networks where !Self.isNetwork(network) {
      throw root.fail(key, "found \"\(network)\", expected an address or a network such as 10.0.0.0/8")
    }
    if required.contains("email"), !email.isConfigured {
      throw root.fail("registrations_require_3pid", "found email without a section email, expected one")
    }
    if required.contains("msisdn"), numberDelegate == nil, !registersWithoutNumbers {
      throw root.fail(
        "registrations_require_3pid", "found msisdn without account_threepid_delegates.msisdn, expected a server")
    }
  }

  /// Returns whether an address may be an account's here.
  ///
  /// - Parameter address: in its canonical form.
  public func allows(_ medium: Text, _ address: Text) -> Bool {
    allowed.isEmpty
      || allowed.contains { rule in
        // A pattern that is none was refused at the start.
        guard rule.medium == medium, let regex = try? Regex(rule.pattern.string) else { return false }
        return address.string.prefixMatch(of: regex) != nil
      }
  }

  private static func isNetwork(_ text: Text) -> Bool {
    let (address, length) = text.cut(at: "/").map { ($0.before, Optional($0.after)) } ?? (text, nil)
    var bytes = [UInt8](repeating: 0, count: 16)
    let bits =
      inet_pton(AF_INET, address.string, &bytes) == 1 ? 32 : inet_pton(AF_INET6, address.string, &bytes) == 1 ? 128 : -1
    return bits > 0 && (length.map { Int($0).map { (0...bits).contains($0) } ?? false } ?? true)
  }

  private static let privateNetworks = [
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "169.254.0.0/16",
    "192.88.99.0/24", "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "::1/128",
    "fe80::/10", "fc00::/7", "2001:db8::/32", "ff00::/8", "fec0::/10",
  ]
}
