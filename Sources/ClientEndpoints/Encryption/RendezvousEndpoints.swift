import EncryptionServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Channels over which a new device is set up: the older kind, plain texts with entity tags (MSC4108), and the newer one (MSC4388).
package struct RendezvousEndpoints: Sendable {
  private let older: RendezvousService
  private let newer: RendezvousService
  private let settings: ExperimentalSettings
  private let publicBaseURL: Text

  /// Makes the family.
  package init(older: RendezvousService, newer: RendezvousService, config: HomeserverConfig) {
    self.older = older
    self.newer = newer
    settings = config.experimental
    publicBaseURL = config.publicBaseURL
  }

  /// The operations of the family; only those that are switched on.
  package var family: EndpointFamily {
    EndpointFamily("rendezvous", olderKind + newerKind)
  }

  private var olderKind: [Endpoint] {
    let root: EndpointPaths = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
    if let elsewhere = settings.channelDelegation {
      return [
        .post("createRendezvousSession", root, as: Anyone.self, on: .main) { _, _ in
          Response(status: 307, headers: [.location: elsewhere.string])
        }
      ]
    }
    guard settings.hasOldChannels else { return [] }
    let channel: EndpointPaths = "/_synapse/client/rendezvous/{sessionID}"
    let body = Endpoint.BodyPolicy.collected(limit: RendezvousService.largestText)
    return [
      .post("createRendezvousSession", root, as: Anyone.self, on: .main, body: body, to: open),
      .get("getRendezvousSession", channel, as: Anyone.self, on: .main, to: read),
      .put("updateRendezvousSession", channel, as: Anyone.self, on: .main, body: body, to: replace),
      .delete("deleteRendezvousSession", channel, as: Anyone.self, on: .main, to: close),
    ]
  }

  private var newerKind: [Endpoint] {
    let root = EndpointPaths.client("rendezvous", ["unstable/io.element.msc4388"])
    let channel = EndpointPaths.client("rendezvous/{rendezvousID}", ["unstable/io.element.msc4388"])
    let body = Endpoint.BodyPolicy.collected(limit: 65_536)
    let opening: [Endpoint]
    switch settings.channels {
    case .off: return []
    case .open:
      opening = [
        .get("isRendezvousAvailable", root, as: Anyone.self, on: .main) { _, _ in Self.available },
        .post("createRendezvous", root, as: Anyone.self, on: .main, body: body) { try openNew($1) },
      ]
    case .authenticated:
      opening = [
        .get("isRendezvousAvailable", root, as: User.self, on: .main) { _, _ in Self.available },
        .post("createRendezvous", root, as: User.self, on: .main, body: body) { try openNew($1) },
      ]
    }
    return opening + [
      .get("getRendezvous", channel, as: Anyone.self, on: .main, to: readNew),
      .put("updateRendezvous", channel, as: Anyone.self, on: .main, body: body, to: replaceNew),
      .delete("deleteRendezvous", channel, as: Anyone.self, on: .main, to: closeNew),
    ]
  }

  // MARK: The older kind

  private func open(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    try Self.requirePlainText(request)
    let channel = older.open(request.body)
    let url = "\(publicBaseURL)_synapse/client/rendezvous/\(channel.id)"
    return Self.describe(channel, in: .json(["url": .string(url)], status: 201))
  }

  private func read(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    let channel = try older.channel(try request.parameter("sessionID"))
    if let tags = request.header("If-None-Match"), Self.names(tags, channel.tag) {
      return Self.describe(channel, in: Response(status: 304))
    }
    let text = Response(headers: [.contentType: "text/plain"], body: .bytes(channel.text))
    return Self.describe(channel, in: text)
  }

  private func replace(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    let id = try request.parameter("sessionID")
    _ = try older.channel(id)
    try Self.requirePlainText(request)
    guard let tags = request.header("If-Match") else { throw .missingParam("Missing required header: if-match") }
    switch try older.replace(id, with: request.body, where: { Self.names(tags, $0) }) {
    case .done(let channel): return Self.describe(channel, in: Response(status: 202))
    case .conflict(let channel):
      let error: JSON = [
        "errcode": .string(ErrorCode.unknown.rawValue), "error": "ETag does not match",
        "org.matrix.msc4108.errcode": .string(ErrorCode.concurrentWrite.rawValue),
      ]
      return Self.describe(channel, in: .json(error, status: 412))
    }
  }

  private func close(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    try older.close(try request.parameter("sessionID"))
    return Response(status: 204)
  }

  private static func requirePlainText(_ request: Request) throws(MatrixError) {
    guard request.header("Content-Length") != nil else {
      throw .missingParam("Missing required header: content-length")
    }
    guard let type = request.header("Content-Type") else {
      throw .missingParam("Missing required header: content-type")
    }
    let essence = type.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).first ?? ""
    guard Text(decoding: essence.utf8.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self).asciiLowercased == "text/plain"
    else { throw .invalidParam("Content-Type must be text/plain") }
  }

  /// Returns whether a list of entity tags has one, or is the sign for any.
  private static func names(_ list: Text, _ tag: Text) -> Bool {
    list.split(separator: UInt8(ascii: ",")).contains { element in
      let element = Text(decoding: element.utf8.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
      return element == "*" || element == "\"\(tag)\""
    }
  }

  private static func describe(_ channel: RendezvousChannel, in response: Response) -> Response {
    var response = response
    response.setHeader("ETag", "\"\(channel.tag)\"")
    response.setHeader("Expires", HTTPTime.text(milliseconds: channel.endMilliseconds))
    response.setHeader("Last-Modified", HTTPTime.text(milliseconds: channel.changedMilliseconds))
    response.setHeader("Cache-Control", "no-store, no-transform")
    response.setHeader("Pragma", "no-cache")
    return response
  }

  // MARK: The newer kind

  private static let available = Response.json(["create_available": true])

  private func openNew(_ request: Request) throws(MatrixError) -> Response {
    let channel = newer.open(try Self.data(try request.jsonObject()))
    return .json([
      "id": .string(channel.id), "sequence_token": .string(channel.tag),
      "expires_in_ms": .integer(newer.millisecondsLeft(of: channel)),
    ])
  }

  private func readNew(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    let channel = try newer.channel(try request.parameter("rendezvousID"))
    return .json([
      "data": .string(Text(decoding: channel.text, as: UTF8.self)), "sequence_token": .string(channel.tag),
      "expires_in_ms": .integer(newer.millisecondsLeft(of: channel)),
    ])
  }

  private func replaceNew(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    let id = try request.parameter("rendezvousID")
    _ = try newer.channel(id)
    let body = try request.jsonObject()
    let (data, token) = (try Self.data(body), try body.requireString("sequence_token"))
    switch try newer.replace(id, with: data, where: { $0 == token }) {
    case .done(let channel): return .json(["sequence_token": .string(channel.tag)])
    case .conflict: throw MatrixError(.rendezvousConflict, "sequence_token does not match")
    }
  }

  private func closeNew(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    try newer.close(try request.parameter("rendezvousID"))
    return .emptyObject
  }

  private static func data(_ body: JSONValue) throws(MatrixError) -> [UInt8] {
    let data = Array(try body.requireString("data").utf8)
    guard data.count <= RendezvousService.largestText else { throw .tooLarge("Payload too large") }
    return data
  }
}
