import ByteText
import EndpointKit
import HTTPTypes
import MatrixPrimitives
import Replication
import ServerConfig

/// The way of a client's request to the process of the cluster that may answer it, and the endpoint where that process takes it.
///
/// The request travels as it came, with the client's token, so the other process admits the caller anew: what a process passes on has no
/// more rights than what a client sends there itself.
enum RequestForwarding {
  /// Sends requests to the processes that the configuration names.
  static func forwarding(_ config: HomeserverConfig, _ client: ReplicationClient) -> Router.Forwarding {
    let placement = RequestPlacement(config)
    return Router.Forwarding(
      instance: { place, key in placement.instance(for: place, key: key) },
      forward: { incoming, body, instance in
        let answer = try await client.forward(outgoing(incoming, body), to: instance)
        return response(answer)
      })
  }

  /// Returns the endpoints where other processes pass requests on.
  ///
  /// - Parameter router: answers requests of clients.
  static func family(_ router: Router) -> EndpointFamily {
    let path = EndpointPaths([PathPattern("\(ForwardedRequest.pathPrefix)/{target...}")])
    let answer: Endpoint.CallHandler<ClusterProcess> = { _, request in
      guard let response = await router.respond(to: try incoming(request)) else { throw CancellationError() }
      return response
    }
    return EndpointFamily(
      "forwarding", resource: "replication",
      [
        .get("forward_GET", path, as: ClusterProcess.self, on: .everyProcess, to: answer),
        .post("forward_POST", path, as: ClusterProcess.self, on: .everyProcess, to: answer),
        .put("forward_PUT", path, as: ClusterProcess.self, on: .everyProcess, to: answer),
        .delete("forward_DELETE", path, as: ClusterProcess.self, on: .everyProcess, to: answer),
      ])
  }

  // MARK: Requests

  private static let authorization = HTTPField.Name(ForwardedRequest.authorizationField.string)
  private static let forwardedFor = HTTPField.Name("X-Forwarded-For")
  /// Fields of the connection, or that do not hold for the other process.
  private static let ofConnection: Set<Text> = [
    "accept-encoding", "authorization", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade", "x-forwarded-authorization", "x-forwarded-for",
  ]

  private static func outgoing(_ incoming: IncomingRequest, _ body: [UInt8]) -> ForwardedRequest {
    var headers: [(name: Text, value: Text)] = []
    for field in incoming.headers where !ofConnection.contains(Text(field.name.canonicalName)) {
      headers.append((Text(field.name.rawName), Text(field.value)))
    }
    for field in incoming.headers[fields: .authorization] {
      headers.append((ForwardedRequest.authorizationField, Text(field.value)))
    }
    headers.append(("X-Forwarded-For", incoming.clientIP))
    return ForwardedRequest(method: incoming.method, target: incoming.target, headers: headers, body: body)
  }

  private static func incoming(_ request: Request) throws(MatrixError) -> IncomingRequest {
    guard let target = request.target.dropping(prefix: ForwardedRequest.pathPrefix) else { throw .unrecognized() }
    var headers = request.headers
    headers[fields: .authorization] = []
    if let authorization {
      for field in headers[fields: authorization] {
        headers.append(HTTPField(name: .authorization, value: field.value))
      }
      headers[fields: authorization] = []
    }
    let client = forwardedFor.flatMap { headers[$0] }.map { Text($0) }
    return IncomingRequest(
      method: request.method.rawValue, target: target, headers: headers, clientIP: client ?? request.clientIP,
      isForwarded: true, body: BytesInHand(request.body))
  }

  // MARK: Responses

  /// What the router and the listener here add by themselves.
  private static let addedHere: Set<Text> = [
    "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
    "access-control-expose-headers", "connection", "content-length", "date", "keep-alive", "server",
    "transfer-encoding",
  ]

  private static func response(_ answer: ForwardedAnswer) -> Response {
    var response = Response(status: answer.status, body: .bytes(answer.body))
    for field in answer.headers where !addedHere.contains(field.name.asciiLowercased) {
      guard let name = HTTPField.Name(field.name.string) else { continue }
      response.headers.append(HTTPField(name: name, value: field.value.string))
    }
    return response
  }
}

/// Which process of the cluster answers the endpoints of a place.
struct RequestPlacement: Sendable {
  private let instanceName: Text
  private let writers: [StreamName: [Text]]
  private let isMainProcess: Bool

  init(_ config: HomeserverConfig) {
    instanceName = config.instanceName
    isMainProcess = config.isMainProcess
    writers = Dictionary(
      uniqueKeysWithValues: StreamName.all.map { ($0, config.writers(of: $0)) })
  }

  /// Returns the process that answers; nil when this one does.
  ///
  /// - Parameter key: of several writers the same one answers all requests with the same key.
  func instance(for place: Endpoint.Place, key: Text) -> Text? {
    switch place {
    case .any, .anyPreferring, .everyProcess, .media: return nil
    case .main: return isMainProcess ? nil : HomeserverConfig.mainInstanceName
    case .writer(let stream):
      guard let all = writers[stream], !all.isEmpty, !all.contains(instanceName) else { return nil }
      return Sharding.instance(for: key, in: all)
    }
  }
}
