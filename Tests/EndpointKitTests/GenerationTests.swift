import ByteText
import Testing

@testable import EndpointKit

@Suite struct GenerationTests {
  private let handler: Endpoint.CallHandler<Anyone> = { _, _ in .emptyObject }

  private var endpoints: [Endpoint] {
    [
      .get("Whois", .client("admin/whois/{userID}", [.r0, .v3]), as: Anyone.self, on: .main, to: handler),
      .get("Whoami", .client("account/whoami", .released), as: Anyone.self, to: handler),
      .get("Sync", .client("sync", [.r0, .v3]), as: Anyone.self, balance: .user, to: handler),
      .put(
        "Send", .client("rooms/{roomID}/send/{eventType}/{txnID}", [.apiV1, .v3]), as: Anyone.self, balance: .room,
        to: handler),
      .put(
        "Typing", .client("rooms/{roomID}/typing/{userID}", [.r0, .v3]), as: Anyone.self, on: .writer(of: .typing),
        to: handler),
      .post(
        "Receipt", .client("rooms/{roomID}/receipt", [.r0, .v3]), as: Anyone.self,
        on: .anyPreferring(writerOf: .receipts), to: handler),
      .post("Positions", .replication("positions"), as: ClusterProcess.self, on: .everyProcess) { _, _ in .emptyObject
      },
    ]
  }

  private func plan(workers: [Text]) -> ProxyPlan {
    ProxyPlan(
      endpoints: endpoints, main: .init(name: "master", address: "127.0.0.1:8008"),
      workers: workers.map { .init(name: $0, address: "unix:/run/\($0).sock") },
      writers: { $0 == .typing ? ["worker2"] : ["elsewhere"] })
  }

  private func configuration(workers: [Text]) -> NginxConfiguration {
    NginxConfiguration(plan: plan(workers: workers), listen: ["127.0.0.1:8080"])
  }

  private func lines(_ text: Text) -> [Text] {
    text.lines.map { Text($0.utf8.drop { $0 == UInt8(ascii: " ") }) }
  }

  @Test func `routes each endpoint by its metadata`() {
    let lines = lines(configuration(workers: ["worker1", "worker2"]).text)
    #expect(lines.contains(#""~^(?:GET|HEAD) /_matrix/client(?:/r0|/v3)/sync(?:\?|$)" myelin_by_user; # Sync"#))
    #expect(
      lines.contains(
        #""~^PUT /_matrix/client(?:/api/v1|/v3)/rooms/[^/?]*/send/[^/?]*/[^/?]*(?:\?|$)" myelin_by_room; # Send"#))
    #expect(lines.contains { $0.hasSuffix("myelin_writer_typing; # Typing") })
    #expect(lines.contains("default myelin_main;"))
    #expect(!lines.contains { $0.contains("# Whois") || $0.contains("# Positions") })
  }

  @Test func `sends a stream's requests to its writer, and to any worker when the writer serves no clients`() throws {
    let text = configuration(workers: ["worker1", "worker2"]).text
    let typing = try #require(text.cut(at: "upstream myelin_writer_typing {"))
    let typingBlock = Text(typing.after.string.prefix { $0 != "}" })
    #expect(typingBlock.contains("worker2.sock"))
    #expect(!typingBlock.contains("worker1.sock"))
    let receipts = try #require(text.cut(at: "upstream myelin_writer_receipts {"))
    let receiptsBlock = Text(receipts.after.string.prefix { $0 != "}" })
    #expect(receiptsBlock.contains("worker1.sock") && receiptsBlock.contains("worker2.sock"))
  }

  @Test func `sends everything to the main process when there are no workers`() {
    let text = configuration(workers: []).text
    let servers = Set(lines(text).filter { $0.hasPrefix("server ") && $0.hasSuffix("# master") })
    #expect(servers == ["server 127.0.0.1:8008 fail_timeout=1s; # master"])
    #expect(!text.contains("unix:"))
  }

  @Test func `never lets clients reach calls between processes`() {
    #expect(configuration(workers: []).text.contains("location ^~ /_synapse/replication/ { return 404; }"))
  }

  @Test func `routes in HAProxy as in nginx`() {
    let lines = lines(HAProxyConfiguration(plan: plan(workers: ["worker1", "worker2"]), bind: [":80"]).text)
    #expect(
      lines.contains("use_backend myelin_by_user if METH_GET { path_reg '^/_matrix/client(?:/r0|/v3)/sync$' } # Sync"))
    #expect(lines.contains { $0.hasPrefix("use_backend myelin_by_room if { method PUT } ") && $0.hasSuffix("# Send") })
    #expect(lines.contains { $0.hasPrefix("use_backend myelin_writer_typing ") && $0.hasSuffix("# Typing") })
    #expect(!lines.contains { $0.contains("# Whois") || $0.contains("# Positions") })
    #expect(lines.contains { $0.hasPrefix("server worker2 unix@/run/worker2.sock ") })
  }

  @Test(
    arguments: [
      (["/a/{x}/b"], "/a/[^/?]*/b"), (["/a.b/c"], #"/a\.b/c"#), (["/a/r0/c", "/a/v3/c"], "/a(?:/r0|/v3)/c"),
      (["/a/c", "/a/b/c"], "/a(?:|/b)/c"), (["/a/{rest...}"], "/a/[^?]*"), (["/a", "/a"], "/a"),
    ] as [([Text], Text)])
  func `joins the paths of an endpoint to one expression`(paths: [Text], expected: Text) {
    #expect(ProxyPlan.expression(paths.map { PathPattern($0) }) == expected)
  }

  @Test func `lists every endpoint once in the table`() {
    let table = EndpointTable([EndpointFamily("all", endpoints)]).markdown
    #expect(table.contains("7 operations"))
    #expect(table.lines.filter { $0.hasPrefix("| GET") || $0.hasPrefix("| P") }.count == 7)
    #expect(table.contains("writer of `typing`"))
  }
}
