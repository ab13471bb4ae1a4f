import ByteText

/// The part of an HAProxy configuration (2.6 and later) that spreads requests over the processes of a cluster.
///
/// One frontend and a backend for each upstream; what else `global` and `defaults` say is the administrator's. Routes are those of
/// ``NginxConfiguration``.
public struct HAProxyConfiguration: Sendable {
  /// The processes and what each serves.
  public var plan: ProxyPlan
  /// Values of HAProxy's `bind`.
  public var bind: [Text]
  /// Bytes; requests that declare a longer body are refused before they reach a process.
  public var maximumBodyBytes: Int

  /// Describes a cluster.
  ///
  /// - Parameters:
  ///   - plan: which process serves what.
  ///   - bind: values of HAProxy's `bind`.
  ///   - maximumBodyBytes: the largest request body.
  public init(plan: ProxyPlan, bind: [Text], maximumBodyBytes: Int = 50 << 20) {
    self.plan = plan
    self.bind = bind
    self.maximumBodyBytes = maximumBodyBytes
  }

  /// The text.
  public var text: Text {
    [
      "# Generated from the endpoints' metadata by `homeserver haproxy`. Changes are lost when it is generated again.",
      Self.global, frontend, plan.upstreams.map(backend).joined(separator: "\n\n"),
    ].joined(separator: "\n\n") + "\n"
  }

  /// The statuses that HAProxy can make by itself.
  private static let statuses: Set = [400, 404, 405, 408, 413, 500, 501, 502, 503, 504]

  /// A request line or header that does not fit into a buffer, or is no HTTP at all, is refused by HAProxy before a frontend is concerned, with
  /// an answer of its own that no setting changes.
  private static let global = """
    global
      # Long addresses reach the processes, whose answers clients can read.
      tune.bufsize 32768
    """

  private var frontend: Text {
    """
    frontend myelin
      mode http
    \(bind.map { "  bind \($0)" }.joined(separator: "\n"))
      timeout http-request 30s
      timeout http-keep-alive 75s
      timeout client 185s
      # Without the query, in which there may be an access token.
      log-format '%ci [%tr] "%HM %HP" %ST %B %Ta %b/%s'

      # What HAProxy answers by itself is a Matrix error, readable in browsers.
    \(errors)

      # Only the processes themselves call these.
      http-request deny deny_status 404 if { path_beg /_synapse/replication/ }
      http-request deny deny_status 404 if { path /_synapse/metrics }
      # Browsers may always ask, even while no process answers: else they could not read that.
      http-request return status 204\(fields) if METH_OPTIONS
      http-request deny deny_status 413 if { req.hdr_val(content-length) gt \(maximumBodyBytes) }

      http-request set-header X-Forwarded-For %[src]
      http-request set-header X-Forwarded-Proto http unless { ssl_fc }
      http-request set-header X-Forwarded-Proto https if { ssl_fc }

      # The user is in the access token (syt_<localpart in base64>_…), the room in the path.
      http-request set-var(txn.token) req.hdr(Authorization),word(2,' ') if { req.hdr(Authorization) -m beg 'Bearer ' }
      http-request set-var(txn.token) urlp(access_token) unless { var(txn.token) -m found }
      http-request set-var(txn.user) var(txn.token),field(2,_) if { var(txn.token) -m beg syt_ }
      http-request set-var(txn.user) var(txn.token) if { var(txn.token) -m found } !{ var(txn.token) -m beg syt_ }
      http-request set-var(txn.user) src unless { var(txn.user) -m found }
      http-request set-var(txn.room) path
      http-request set-var(txn.room) path,field(6,/) if { path,field(5,/) -m str rooms join knock }

    \(routes)
      default_backend \(ProxyPlan.mainName)
    """
  }

  private var fields: Text {
    ProxyErrors.corsFields.map { " hdr \($0.name) '\($0.value)'" }.joined()
  }

  private var errors: Text {
    ProxyErrors.errors.filter { Self.statuses.contains($0.status) }.map {
      "  http-error status \($0.status) content-type application/json string '\(ProxyErrors.body($0.code, $0.message))'\(fields)"
    }.joined(separator: "\n")
  }

  private var routes: Text {
    plan.routes.map { route in
      // HAProxy's condition for GET covers HEAD.
      let method = route.endpoint.method == .get ? "METH_GET" : "{ method \(route.endpoint.method.rawValue) }"
      return
        "  use_backend \(route.upstream) if \(method) { path_reg '^\(ProxyPlan.expression(route.endpoint.paths))$' } # \(route.endpoint.name)"
    }.joined(separator: "\n")
  }

  private func backend(_ upstream: ProxyPlan.Upstream) -> Text {
    let balance =
      switch upstream.key {
      case nil: "  balance leastconn"
      case .user: "  balance hash var(txn.user)\n  hash-type consistent"
      case .room: "  balance hash var(txn.room)\n  hash-type consistent"
      }
    // A process that is gone is noticed by its refusal and by /health; another takes over. What was sent already is only repeated when the
    // method allows it: PUT does, having a transaction id or the same outcome each time; POST does not.
    return """
      backend \(upstream.name)
        mode http
      \(balance)
        timeout connect 5s
        timeout server 180s
        retry-on conn-failure empty-response
        option redispatch 1
        http-request disable-l7-retry if METH_POST
        option httpchk GET /health
      \(upstream.instances.map { "  server \($0.name) \(Self.address($0.address)) check inter 1s fall 2 rise 1" }.joined(separator: "\n"))
      """
  }

  /// HAProxy has a word of its own for sockets in the file system.
  private static func address(_ address: Text) -> Text {
    address.hasPrefix("unix:") ? "unix@" + address.dropFirst("unix:".utf8.count) : address
  }
}
