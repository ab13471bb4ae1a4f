import ByteText

/// The part of an nginx configuration that spreads requests over the processes of a cluster.
///
/// The text belongs into nginx' `http` block: upstreams, maps and one server.
public struct NginxConfiguration: Sendable {
  /// The processes and what each serves.
  public var plan: ProxyPlan
  /// Values of nginx' `listen`.
  public var listen: [Text]
  /// Values of nginx' `server_name`.
  public var serverName: Text
  /// Bytes; bodies beyond are refused before they reach a process.
  public var maximumBodyBytes: Int
  /// The file or target of the access log, which has no access tokens; nil to log nothing.
  public var accessLog: Text?

  /// Describes a cluster.
  ///
  /// - Parameters:
  ///   - plan: which process serves what.
  ///   - listen: values of nginx' `listen`.
  ///   - serverName: nginx' `server_name`.
  ///   - maximumBodyBytes: the largest request body.
  ///   - accessLog: where requests are logged; nil to log none.
  public init(
    plan: ProxyPlan, listen: [Text], serverName: Text = "_", maximumBodyBytes: Int = 50 << 20,
    accessLog: Text? = nil
  ) {
    self.plan = plan
    self.listen = listen
    self.serverName = serverName
    self.maximumBodyBytes = maximumBodyBytes
    self.accessLog = accessLog
  }

  /// The text.
  public var text: Text {
    [
      "# Generated from the endpoints' metadata by `homeserver nginx`. Changes are lost when it is generated again.",
      keyMaps, log, errorMap, routeMap, plan.upstreams.map(block).joined(separator: "\n"), server,
    ].joined(separator: "\n\n") + "\n"
  }

  /// The maps that find the user in the access token (`syt_<localpart in base64>_…`) and the room in the path.
  private var keyMaps: Text {
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

  /// The format of the access log: without queries, in which there may be access tokens, however the name is written, and without the token
  /// that stands for a user who cannot be read from it.
  private var log: Text {
    """
    map $request_uri $myelin_logged_path {
      "~^(?<logged_path>[^?]*)" $logged_path;
    }
    map $myelin_token $myelin_logged_user {
      "~^syt_(?<logged_localpart>[^_]+)_" $logged_localpart;
      default -;
    }
    log_format myelin '$remote_addr [$time_iso8601] "$request_method $myelin_logged_path" $status $body_bytes_sent '
                      '$request_time $upstream_addr user=$myelin_logged_user';
    """
  }

  private var errorMap: Text {
    let lines = ProxyErrors.errors.map { "  \($0.status) '\(ProxyErrors.body($0.code, $0.message))';" }
    let other = "  default '\(ProxyErrors.body(ProxyErrors.other.code, ProxyErrors.other.message))';"
    return (["map $status $myelin_error {"] + lines + [other, "}"]).joined(separator: "\n")
  }

  private var routeMap: Text {
    let lines = plan.routes.map { route in
      let methods = route.endpoint.method == .get ? "(?:GET|HEAD)" : route.endpoint.method.rawValue
      return
        "  \"~^\(methods) \(ProxyPlan.expression(route.endpoint.paths))(?:\\?|$)\" \(route.upstream); # \(route.endpoint.name)"
    }
    return
      (["map \"$request_method $request_uri\" $myelin_upstream {", "  default \(ProxyPlan.mainName);"] + lines + ["}"])
      .joined(separator: "\n")
  }

  private func block(_ upstream: ProxyPlan.Upstream) -> Text {
    var lines = ["upstream \(upstream.name) {"]
    if upstream.instances.count > 1 {
      switch upstream.key {
      case nil: lines.append("  least_conn;")
      case .user: lines.append("  hash $myelin_user consistent;")
      case .room: lines.append("  hash $myelin_room consistent;")
      }
    }
    // By default a process that failed once is left alone for 10 s, and when all did, so are all.
    lines += upstream.instances.map { "  server \($0.address) fail_timeout=1s; # \($0.name)" }
    lines += ["  keepalive 64;", "}"]
    return lines.joined(separator: "\n")
  }

  private func fields(_ indentation: Text) -> Text {
    ProxyErrors.corsFields.map { "\(indentation)add_header \($0.name) \"\($0.value)\" always;" }
      .joined(separator: "\n")
  }

  private var server: Text {
    """
    server {
    \(listen.map { "  listen \($0);" }.joined(separator: "\n"))
      server_name \(serverName);
      access_log \(accessLog.map { "\($0) myelin" } ?? "off");
      client_max_body_size \(maximumBodyBytes);
      merge_slashes off;

      # What nginx answers by itself is a Matrix error, readable in browsers. A request line that is not valid is answered by the first server of
      # its address, before another can be chosen by name.
      error_page \((ProxyErrors.errors.map { Text($0.status) } + ["494"]).joined(separator: " ")) /.myelin-error;
      location = /.myelin-error {
        internal;
        default_type application/json;
    \(fields("    "))
        return 200 $myelin_error;
      }

      # Only the processes themselves call these.
      location ^~ /_synapse/replication/ { return 404; }
      location = /_synapse/metrics { return 404; }

      location / {
        # Browsers may always ask, even while no process answers: else they could not read that.
        if ($request_method = OPTIONS) {
    \(fields("      "))
          return 204;
        }
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
}
