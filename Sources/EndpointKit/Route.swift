import ByteText

/// The endpoint that a request is for.
public final class Route: Sendable {
  enum Outcome: Sendable {
    case endpoint(Endpoint, names: [Text], values: [Substring])
    case wrongMethod
    case notFound
    case preflight
  }

  let outcome: Outcome
  let path: Substring
  let query: Substring

  init(_ outcome: Outcome, _ path: Substring, _ query: Substring) {
    self.outcome = outcome
    self.path = path
    self.query = query
  }

  convenience init(found result: RouteTable.Result, _ path: Substring, _ query: Substring) {
    let outcome: Outcome =
      switch result {
      case .found(let endpoint, let names, let values): .endpoint(endpoint, names: names, values: values)
      case .wrongMethod: .wrongMethod
      case .notFound: .notFound
      }
    self.init(outcome, path, query)
  }

  /// The endpoint, or nil when the router answers by itself.
  public var endpoint: Endpoint? {
    if case .endpoint(let endpoint, _, _) = outcome { endpoint } else { nil }
  }

  /// The names whose values are secrets: tokens of users and of links in mails, sessions of interactive authentication.
  private static let secretNames: Set<Text> = ["access_token", "client_secret", "token", "session"]

  /// Path and query with the values of every name that decodes to that of a secret blotted out, for logs.
  var redactedTarget: Text {
    if query.utf8.isEmpty { return Text(path) }
    let pairs = query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).map { pair -> Text in
      let name = Substring(pair.prefix { $0 != UInt8(ascii: "=") })
      guard let name = PercentDecoding.decodeForm(name), Self.secretNames.contains(name) else { return Text(pair) }
      return "\(name)=<redacted>"
    }
    return "\(Text(path))?\(pairs.joined(separator: "&"))"
  }
}
