import ByteText
import MatrixPrimitives

/// The processes of a cluster and the endpoints that each serves, as a reverse proxy needs them.
///
/// It all comes from the endpoints' metadata: every endpoint that is not the main process' own has a route to an upstream.
public struct ProxyPlan: Sendable {
  /// A process and where it answers clients.
  public struct Instance: Sendable, Hashable {
    /// The instance's name, `master` for the main process.
    public let name: Text
    /// `host:port` or `unix:/path`.
    public let address: Text

    /// Creates the entry of a process.
    public init(name: Text, address: Text) {
      self.name = name
      self.address = address
    }
  }

  /// Every endpoint that clients may reach.
  public var endpoints: [Endpoint]
  /// The main process, which also serves all that no worker may.
  public var main: Instance
  /// The workers with a client listener.
  public var workers: [Instance]
  /// The configured writers of a stream.
  public var writers: @Sendable (StreamName) -> [Text]

  /// Describes a cluster.
  ///
  /// - Parameters:
  ///   - endpoints: every endpoint that clients may reach.
  ///   - main: the main process.
  ///   - workers: workers with a client listener.
  ///   - writers: the configured writers of a stream.
  public init(
    endpoints: [Endpoint], main: Instance, workers: [Instance], writers: @escaping @Sendable (StreamName) -> [Text]
  ) {
    self.endpoints = endpoints
    self.main = main
    self.workers = workers
    self.writers = writers
  }

  static let mainName = "myelin_main"

  /// Processes among which the requests of a route are divided.
  struct Upstream {
    /// By what they are divided; connections are counted where nothing is kept together.
    enum Key {
      case user, room
    }

    let name: Text
    let key: Key?
    let instances: [Instance]
  }

  struct Route {
    let endpoint: Endpoint
    let upstream: Text
  }

  /// The upstreams that a route leads to, and the main process.
  var upstreams: [Upstream] {
    let used = Set(routes.map(\.upstream))
    let all = workers.isEmpty ? [main] : workers
    var result = [
      Upstream(name: Self.mainName, key: nil, instances: [main]),
      Upstream(name: "myelin_any", key: nil, instances: all),
      Upstream(name: "myelin_by_user", key: .user, instances: all),
      Upstream(name: "myelin_by_room", key: .room, instances: all),
    ]
    for stream in Set(endpoints.compactMap(\.writtenStream)).sorted(by: { $0.rawValue < $1.rawValue }) {
      let named = writers(stream).compactMap { name in ([main] + workers).first { $0.name == name } }
      // A writer without a client listener is reached by way of any process, which passes the request on.
      result.append(
        Upstream(name: Self.writerName(stream), key: .user, instances: named.isEmpty ? all : named))
    }
    return result.filter { $0.name == Self.mainName || used.contains($0.name) }
  }

  private static func writerName(_ stream: StreamName) -> Text {
    "myelin_writer_\(stream.rawValue)"
  }

  /// The endpoints that go elsewhere than to the main process; those with a key first, since they are the frequent
  /// ones.
  var routes: [Route] {
    let routes = endpoints.compactMap { endpoint -> Route? in
      switch endpoint.place {
      case .main, .media, .everyProcess: nil
      case .writer(let stream), .anyPreferring(let stream):
        Route(endpoint: endpoint, upstream: Self.writerName(stream))
      case .any:
        switch endpoint.balance {
        case .none: Route(endpoint: endpoint, upstream: "myelin_any")
        case .user: Route(endpoint: endpoint, upstream: "myelin_by_user")
        case .room: Route(endpoint: endpoint, upstream: "myelin_by_room")
        }
      }
    }
    return routes.filter { $0.endpoint.balance != .none } + routes.filter { $0.endpoint.balance == .none }
  }

  /// Joins the paths of an endpoint to one expression; versions that differ in the middle become alternatives there.
  static func expression(_ paths: [PathPattern]) -> Text {
    let all = paths.map { $0.segments.map(expression) }
    guard let first = all.first else { return "" }
    let shortest = all.map(\.count).min() ?? 0
    let prefix = (0..<shortest).prefix { index in all.allSatisfy { $0[index] == first[index] } }.count
    let suffix = (0..<(shortest - prefix)).prefix { index in
      all.allSatisfy { $0[$0.count - 1 - index] == first[first.count - 1 - index] }
    }.count
    var middles: [Text] = []
    for segments in all {
      let middle = segments[prefix..<(segments.count - suffix)].joined()
      if !middles.contains(middle) { middles.append(middle) }
    }
    let middle = middles.count == 1 ? middles[0] : "(?:\(middles.joined(separator: "|")))"
    return first.prefix(prefix).joined() + middle + first.suffix(suffix).joined()
  }

  private static func expression(_ segment: PathPattern.Segment) -> Text {
    switch segment {
    case .literal(let text): "/" + PathPattern.escape(text)
    case .parameter: "/[^/?]*"
    case .rest: "/[^?]*"
    }
  }
}

extension Endpoint {
  fileprivate var writtenStream: StreamName? {
    switch place {
    case .writer(let stream), .anyPreferring(let stream): stream
    case .any, .main, .media, .everyProcess: nil
    }
  }
}
