import Replication

/// Writes the part of an nginx configuration that spreads requests over the processes of a cluster.
///
/// The text belongs into nginx' `http` block: upstreams, maps and one server. Which process serves what comes from the endpoints'
/// metadata: the map from method and path to an upstream has an entry for each endpoint that is not the main process' own.
public struct NginxConfiguration: Sendable {
  /// Names a process and where it answers clients.
  public struct Instance: Sendable, Hashable {
    /// The instance's name, `master` for the main process.
    public let name: String
    /// `host:port` or `unix:/path`.
    public let address: String

    /// Names a process.
    public init(name: String, address: String) {
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
  /// Gives the configured writers of a stream.
  public var writers: @Sendable (StreamName) -> [String]
  /// Values of nginx' `listen`.
  public var listen: [String]
  /// Values of nginx' `server_name`.
  public var serverName: String
  /// Bytes; bodies beyond are refused before they reach a process.
  public var maximumBodyBytes: Int

  /// Describes a cluster.
  ///
  /// - Parameters:
  ///   - endpoints: every endpoint that clients may reach.
  ///   - main: the main process.
  ///   - workers: workers with a client listener.
  ///   - writers: the configured writers of a stream.
  ///   - listen: values of nginx' `listen`.
  ///   - serverName: nginx' `server_name`.
  ///   - maximumBodyBytes: the largest request body.
  public init(
    endpoints: [Endpoint], main: Instance, workers: [Instance], writers: @escaping @Sendable (StreamName) -> [String],
    listen: [String], serverName: String = "_", maximumBodyBytes: Int = 50 << 20
  ) {
    self.endpoints = endpoints
    self.main = main
    self.workers = workers
    self.writers = writers
    self.listen = listen
    self.serverName = serverName
    self.maximumBodyBytes = maximumBodyBytes
  }

  /// The text.
  public var text: String {
    let routes = self.routes
    let used = Set(routes.map(\.upstream))
    return [
      "# Generated from the endpoints' metadata by `homeserver nginx`. Changes are lost when it is generated again.",
      keyMaps, routeMap(routes),
      upstreams.filter { used.contains($0.name) || $0.name == Self.mainName }.map(block)
        .joined(separator: "\n"), server,
    ].joined(separator: "\n\n") + "\n"
  }

  // MARK: - Upstreams

  private static let mainName = "myelin_main"

  private struct Upstream {
    let name: String
    let method: String?
    let instances: [Instance]
  }

  private struct Route {
    let endpoint: Endpoint
    let upstream: String
  }

  private var upstreams: [Upstream] {
    let all = workers.isEmpty ? [main] : workers
    var result = [
      Upstream(name: Self.mainName, method: nil, instances: [main]),
      Upstream(name: "myelin_any", method: "least_conn", instances: all),
      Upstream(name: "myelin_by_user", method: "hash $myelin_user consistent", instances: all),
      Upstream(name: "myelin_by_room", method: "hash $myelin_room consistent", instances: all),
    ]
    for stream in Set(endpoints.compactMap(\.writtenStream)).sorted(by: { $0.rawValue < $1.rawValue }) {
      let named = writers(stream).compactMap { name in ([main] + workers).first { $0.name == name } }
      // A writer without a client listener is reached by way of any process, which passes the request on.
      let instances = named.isEmpty ? all : named
      result.append(
        Upstream(
          name: Self.writerName(stream), method: instances.count > 1 ? "hash $myelin_user consistent" : nil,
          instances: instances))
    }
    return result
  }

  private static func writerName(_ stream: StreamName) -> String {
    "myelin_writer_\(stream.rawValue)"
  }

  /// Lists the endpoints that go elsewhere than to the main process; those with a key first, since they are the frequent ones.
  private var routes: [Route] {
    let routes = endpoints.compactMap { endpoint -> Route? in
      switch endpoint.role {
      case .main, .media, .everyProcess: nil
      case .streamWriter(let stream): Route(endpoint: endpoint, upstream: Self.writerName(stream))
      case .anyWorker, .anyWorkerGETOnly:
        switch endpoint.balance {
        case .none: Route(endpoint: endpoint, upstream: "myelin_any")
        case .user: Route(endpoint: endpoint, upstream: "myelin_by_user")
        case .room: Route(endpoint: endpoint, upstream: "myelin_by_room")
        }
      }
    }
    return routes.filter { $0.endpoint.balance != .none } + routes.filter { $0.endpoint.balance == .none }
  }

  // MARK: - Text

  /// Finds the user in the access token (`syt_<localpart in base64>_…`) and the room in the path.
  private var keyMaps: String {
    """
    map $http_authorization $myelin_token {
      "~^Bearer (?<bearer>.+)$" $bearer;
      default $arg_access_token;
    }
    map $myelin_token $myelin_user {
      "~^syt_(?<localpart>[^_]+)_" $localpart;
      "" $remote_addr;
      default $myelin_token;
    }
    map $request_uri $myelin_room {
      "~/(?:rooms|join|knock)/(?<room>[^/?]+)" $room;
      default $request_uri;
    }
    """
  }

  private func routeMap(_ routes: [Route]) -> String {
    let lines = routes.map { route in
      let methods = route.endpoint.method == .get ? "(?:GET|HEAD)" : route.endpoint.method.rawValue
      return
        "  \"~^\(methods) \(Self.expression(route.endpoint.paths))(?:\\?|$)\" \(route.upstream); # \(route.endpoint.name)"
    }
    return (["map \"$request_method $request_uri\" $myelin_upstream {", "  default \(Self.mainName);"] + lines + ["}"])
      .joined(separator: "\n")
  }

  private func block(_ upstream: Upstream) -> String {
    var lines = ["upstream \(upstream.name) {"]
    if let method = upstream.method, upstream.instances.count > 1 { lines.append("  \(method);") }
    // By default a process that failed once is left alone for 10 s, and when all did, so are all.
    lines += upstream.instances.map { "  server \($0.address) fail_timeout=1s; # \($0.name)" }
    lines += ["  keepalive 64;", "}"]
    return lines.joined(separator: "\n")
  }

  private var server: String {
    """
    server {
    \(listen.map { "  listen \($0);" }.joined(separator: "\n"))
      server_name \(serverName);
      client_max_body_size \(maximumBodyBytes);
      merge_slashes off;

      # Only the processes themselves call these.
      location ^~ /_synapse/replication/ { return 404; }
      location = /_synapse/metrics { return 404; }

      location / {
        proxy_pass http://$myelin_upstream;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_connect_timeout 5s;
        proxy_read_timeout 180s;
        # Another process takes over from one that is gone. What was sent already is only repeated when the method
        # allows it: PUT does, having a transaction id or the same outcome each time; POST does not.
        proxy_next_upstream error timeout;
      }
    }
    """
  }

  /// Joins the paths of an endpoint to one expression; versions that differ in the middle become alternatives there.
  static func expression(_ paths: [PathPattern]) -> String {
    let all = paths.map { $0.segments.map(expression) }
    guard let first = all.first else { return "" }
    let shortest = all.map(\.count).min() ?? 0
    let prefix = (0..<shortest).prefix { index in all.allSatisfy { $0[index] == first[index] } }.count
    let suffix = (0..<(shortest - prefix)).prefix { index in
      all.allSatisfy { $0[$0.count - 1 - index] == first[first.count - 1 - index] }
    }.count
    var middles: [String] = []
    for segments in all {
      let middle = segments[prefix..<(segments.count - suffix)].joined()
      if !middles.contains(middle) { middles.append(middle) }
    }
    let middle = middles.count == 1 ? middles[0] : "(?:\(middles.joined(separator: "|")))"
    return first.prefix(prefix).joined() + middle + first.suffix(suffix).joined()
  }

  private static func expression(_ segment: PathPattern.Segment) -> String {
    switch segment {
    case .literal(let text): "/" + PathPattern.escape(text)
    case .parameter: "/[^/?]*"
    case .rest: "/[^?]*"
    }
  }
}

extension Endpoint {
  fileprivate var writtenStream: StreamName? {
    if case .streamWriter(let stream) = role { stream } else { nil }
  }
}
