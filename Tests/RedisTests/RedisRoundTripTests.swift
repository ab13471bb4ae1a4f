import ByteText
import Logging
import NIOCore
import NIOSSL
import TestSupport
import Testing

@testable import Redis

/// The events of a client as a sequence.
final class Events<Event: Sendable>: Sendable {
  let stream: AsyncStream<Event>
  let continuation: AsyncStream<Event>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream(of: Event.self) }

  func send(_ event: Event) { continuation.yield(event) }
}

@Suite(.timeLimit(.minutes(1))) struct RedisRoundTripTests {
  let logger = Logger(label: "test")

  private func configuration(_ server: TestRedis) -> RedisConfiguration {
    RedisConfiguration(endpoint: .unix(path: server.socketPath))
  }

  /// Runs a subscriber and a publisher, and ends them with the body.
  private func withClients(
    _ configuration: RedisConfiguration, channels: [Text],
    _ body: (
      RedisPublisher, inout AsyncStream<RedisSubscriber.Event>.Iterator,
      inout AsyncStream<RedisPublisher.Event>.Iterator
    ) async throws -> Void
  ) async throws {
    let publisher = RedisPublisher(configuration: configuration, logger: logger)
    let subscriber = RedisSubscriber(configuration: configuration, channels: channels, logger: logger)
    let heard = Events<RedisSubscriber.Event>()
    let published = Events<RedisPublisher.Event>()
    let tasks = [Task { await publisher.run(published.send) }, Task { await subscriber.run(heard.send) }]
    defer { tasks.forEach { $0.cancel() } }
    var subscriberEvents = heard.stream.makeAsyncIterator()
    var publisherEvents = published.stream.makeAsyncIterator()
    try await body(publisher, &subscriberEvents, &publisherEvents)
  }

  @Test func messagesArriveInOrderOnAllChannels() async throws {
    let server = try TestRedis.shared()
    try await withClients(configuration(server), channels: ["order", "order/USER_IP"]) { publisher, heard, published in
      while await heard.next() != .subscribed {}
      while await published.next() != .connected {}
      let payloads = (0..<2000).map { Array("RDATA events master \($0) [\"\u{e9}\"]".utf8) }
      publisher.publish(channel: "order", payloads: payloads)
      for payload in payloads { #expect(await heard.next() == .message(channel: "order", payload: payload)) }
      publisher.publish(channel: "order/USER_IP", payloads: [[]])
      #expect(await heard.next() == .message(channel: "order/USER_IP", payload: []))
    }
  }

  @Test func keysAreSetAndRead() async throws {
    let server = try TestRedis.shared()
    var configuration = configuration(server)
    configuration.database = 3
    try await withClients(configuration, channels: ["keys"]) { publisher, _, published in
      while await published.next() != .connected {}
      publisher.set("cache_v1:test:a", [1, 0, 13, 10], expiryMilliseconds: 60_000)
      let present = try await publisher.get("cache_v1:test:a")
      let absent = try await publisher.get("cache_v1:test:b")
      #expect(present == [1, 0, 13, 10])
      #expect(absent == nil)
    }
  }

  @Test func keysCannotBeReadWithoutConnection() async throws {
    let publisher = RedisPublisher(
      configuration: RedisConfiguration(endpoint: .unix(path: "/nonexistent")), logger: logger)
    await #expect(throws: RedisError.self) { () async throws in _ = try await publisher.get("a") }
    publisher.publish(channel: "a", payloads: [[1], [2]])
    #expect(publisher.droppedMessages == 2)
  }

  @Test func connectionsComeBackWithTheServer() async throws {
    let server = try TestRedis()
    try await withClients(configuration(server), channels: ["back"]) { publisher, heard, published in
      while await heard.next() != .subscribed {}
      while await published.next() != .connected {}
      server.stop()
      while let event = await published.next() { if case .disconnected = event { break } }
      while let event = await heard.next() { if case .disconnected = event { break } }
      try server.start()
      while await published.next() != .connected {}
      while await heard.next() != .subscribed {}
      publisher.publish(channel: "back", payloads: [[7]])
      #expect(await heard.next() == .message(channel: "back", payload: [7]))
    }
  }

  @Test func passwordAndUserAreUsed() async throws {
    let server = try TestRedis(arguments: [
      "--requirepass", "secret", "--user", "myelin", "on", ">other", "allchannels", "allkeys", "+@all",
    ])
    var configuration = configuration(server)
    for (user, password) in [(nil, "secret"), ("myelin", "other")] {
      configuration.username = user
      configuration.password = password
      try await withClients(configuration, channels: ["auth"]) { _, heard, published in
        while await heard.next() != .subscribed {}
        while await published.next() != .connected {}
      }
    }
    configuration.password = "wrong"
    try await withClients(configuration, channels: ["auth"]) { _, heard, _ in
      guard case .disconnected(let reason) = await heard.next() else {
        Issue.record("a wrong password was accepted")
        return
      }
      #expect(reason.contains("WRONGPASS"))
    }
  }

  @Test func tlsIsSpokenAndVerified() async throws {
    let certificate = try TestCertificate()
    let server = try TestRedis(arguments: [
      "--port", "0", "--tls-port", "\(certificate.freePort)", "--tls-auth-clients", "no", "--tls-cert-file",
      certificate.certificatePath, "--tls-key-file", certificate.keyPath, "--tls-ca-cert-file",
      certificate.certificatePath,
    ])
    defer { server.stop() }
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file(certificate.certificatePath)
    let endpoint = RedisConfiguration.Endpoint.tcp(host: "localhost", port: certificate.freePort)
    try await withClients(RedisConfiguration(endpoint: endpoint, tls: tls), channels: ["tls"]) {
      publisher, heard, published in
      while await heard.next() != .subscribed {}
      while await published.next() != .connected {}
      publisher.publish(channel: "tls", payloads: [[9]])
      #expect(await heard.next() == .message(channel: "tls", payload: [9]))
      // More than any socket between the two can hold.
      let large = (0..<24).map { [UInt8](repeating: UInt8($0), count: 1 << 20) }
      publisher.publish(channel: "tls", payloads: large)
      for payload in large {
        // Compared apart: a failure must not print a megabyte.
        let isEqual = await heard.next() == .message(channel: "tls", payload: payload)
        #expect(isEqual)
      }
    }
    let untrusting = RedisConfiguration(endpoint: endpoint, tls: .makeClientConfiguration())
    try await withClients(untrusting, channels: ["tls"]) { _, heard, _ in
      guard case .disconnected(let reason) = await heard.next() else {
        Issue.record("an unknown certificate was accepted")
        return
      }
      #expect(reason.contains("CERTIFICATE_VERIFY_FAILED"))
    }
  }
}
