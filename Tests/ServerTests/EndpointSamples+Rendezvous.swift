import HTTPTypes
import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let rendezvous: [Text: Recipe] = [
    "createRendezvousSession": { _ in Sample(target: older, body: "text", status: 201, headers: plain("text")) },
    "getRendezvousSession": { Sample(target: try await channel($0).target) },
    "updateRendezvousSession": { server in
      let (target, tag) = try await channel(server)
      return Sample(
        target: target, body: "other", status: 202, headers: plain("other").merging(["If-Match": tag]) { $1 })
    },
    "deleteRendezvousSession": { Sample(target: try await channel($0).target, status: 204) },
    "isRendezvousAvailable": { _ in Sample(target: newer) },
    "createRendezvous": { _ in Sample(target: newer, body: #"{"data":"text"}"#) },
    "getRendezvous": { Sample(target: try await newChannel($0).target) },
    "updateRendezvous": { server in
      let (target, token) = try await newChannel(server)
      return Sample(target: target, body: #"{"data":"other","sequence_token":"\#(token)"}"#)
    },
    "deleteRendezvous": { Sample(target: try await newChannel($0).target) },
  ]

  private static let older: Text = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
  private static let newer: Text = "/_matrix/client/unstable/io.element.msc4388/rendezvous"

  private static func plain(_ body: Text) -> [Text: Text] {
    ["Content-Type": "text/plain", "Content-Length": Text(body.utf8.count)]
  }

  private static func channel(_ server: TestServer) async throws -> (target: Text, tag: Text) {
    let made = try await server.call("POST", older, "text", headers: plain("text"))
    let url = try #require(made.json["url"]?.string)
    return (try #require(url.dropping(prefix: "https://test")), try #require(made.headers[.eTag].map { Text($0) }))
  }

  private static func newChannel(_ server: TestServer) async throws -> (target: Text, token: Text) {
    let made = try await server.call("POST", newer, #"{"data":"text"}"#).json
    return (
      "\(newer)/\(try #require(made["id"]?.string))", try #require(made["sequence_token"]?.string)
    )
  }
}
