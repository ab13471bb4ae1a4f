import ByteText
import EndpointKit
import ServerConfig
import Testing
import WorkerRuntime

@testable import generic_worker
@testable import pusher_parts

/// What a process has that picks only the parts that a pusher needs. `Deploy/lint` compares what its program links.
@Suite struct PusherPartsTests {
  private static let configuration: String = """
    server_name: test
    macaroon_secret_key: secret
    signing_key_path: /nonexistent/key
    database: {name: psycopg2, args: {dbname: none}}
    redis: {enabled: true}
    start_pushers: false
    worker_app: synapse.app.pusher
    worker_name: pusher1
    instance_map: {main: {host: 127.0.0.1, port: 1}}
    worker_listeners: [{port: 2, type: http, resources: [{names: [client, replication, metrics]}]}]
    """

  @Test func `answers other processes and its administrator, but no client, and needs no signing key`() async throws {
    let runtime = try ProcessRuntime(role: .pusherParts, configText: Self.configuration)
    let families = try await runtime.families()
    #expect(Set(families.map(\.resource)) == ["health", "metrics", "replication"])
    #expect(families.flatMap(\.endpoints).allSatisfy { $0.place == .everyProcess })
  }

  @Test func `refuses to start where events are signed without a key`() async throws {
    let runtime = try ProcessRuntime(role: .genericWorker, configText: Self.configuration)
    let error = await #expect(throws: ConfigError.self) { _ = try await runtime.families() }
    #expect(error?.description.contains("signing_key_path") == true)
  }
}
