import EndpointKit
import HTTPTypes
import Logging
import MatrixPrimitives
import Replication
import ReplicationEndpoints
import Testing

/// A source of three rows of the typing stream, which cuts a page after the second.
private final class ThreeRows: StreamSource {
  let stream = StreamName.typing

  func currentToken(of instance: Text) -> Int64 { 3 }

  func advance(_ instance: Text, to token: Int64) {}

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    let row = StreamRow.typing(TypingRow(roomID: RoomID(unchecked: "!r:hs"), userIDs: [UserID(unchecked: "@a:hs")]))
    let tokens = [Int64(1), 2, 3].filter { $0 > from && $0 <= to }
    let page = tokens.prefix(2)
    return StreamUpdates(
      rows: page.map { ($0, row) }, upTo: page.count < tokens.count ? page.last ?? to : to,
      limited: page.count < tokens.count)
  }
}

@Suite struct StreamUpdateEndpointsTests {
  private func get(_ target: Text, secret: Text? = "s3cret") async throws -> Response {
    let hub = StreamHub(
      instanceName: "master", writers: { _ in ["master"] }, transport: InMemoryTransport(), clock: .test(),
      logger: Logger(label: "test"))
    hub.register(ThreeRows())
    let router = Router(
      StreamUpdateEndpoints(hub: hub).family.endpoints, settings: .init(replicationSecret: "s3cret"))
    var headers = HTTPFields()
    if let secret { headers[.authorization] = "Bearer \(secret)" }
    let incoming = IncomingRequest(
      method: "GET", target: "/_synapse/replication/get_repl_stream_updates/\(target)", headers: headers,
      clientIP: "127.0.0.1")
    return try #require(await router.respond(to: incoming))
  }

  private func body(_ response: Response) -> Text { Text(decoding: response.body.bytes ?? [], as: UTF8.self) }

  @Test func rowsAreAnsweredAPageAtATime() async throws {
    let first = try await get("typing/abcdefghij?from_token=0&upto_token=3")
    #expect(first.status == 200)
    #expect(
      body(first)
        == #"{"updates":[[1,["!r:hs",["@a:hs"]]],[2,["!r:hs",["@a:hs"]]]],"upto_token":2,"limited":true}"#)
    let second = try await get("typing/abcdefghij?from_token=2&upto_token=3")
    #expect(body(second) == #"{"updates":[[3,["!r:hs",["@a:hs"]]]],"upto_token":3,"limited":false}"#)
  }

  @Test(arguments: [
    "presence/x?from_token=0&upto_token=3", "typing/x?from_token=0", "typing/x?from_token=a&upto_token=1",
  ])
  func unknownStreamsAndBadTokensAreRefused(_ target: Text) async throws {
    #expect(try await get(target).status == 400)
  }

  @Test func aWrongSecretIsRefused() async throws {
    #expect(try await get("typing/x?from_token=0&upto_token=3", secret: nil).status >= 400)
    #expect(try await get("typing/x?from_token=0&upto_token=3", secret: "wrong").status >= 400)
  }
}
