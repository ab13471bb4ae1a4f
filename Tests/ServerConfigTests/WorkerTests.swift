import MatrixPrimitives
import ServerConfig
import Testing

@Suite struct WorkerTests {
  @Test func workerKnowsItsPlaceInTheCluster() throws {
    let (config, _) = try ConfigText.load(
      ConfigText.worker,
      """
      stream_writers: {events: [worker1, master], receipts: worker1}
      worker_listeners:
        - {type: http, port: 9094, bind_addresses: ["127.0.0.1"], resources: [{names: [replication]}]}
        - {type: http, path: /run/w.sock, mode: 0o660, resources: [{names: [client, federation], compress: true}]}
        - {type: metrics, port: 9101}
        - {type: manhole, port: 9000}
      worker_replication_secret: shared
      worker_pid_file: /run/w.pid
      pid_file: /run/main.pid
      run_background_tasks_on: worker1
      pusher_instances: [worker1]
      enable_metrics: true
      """.replacing("0o660", with: "0660"), role: .worker)
    #expect(config.instanceName == "worker1" && !config.isMainProcess)
    #expect(config.instanceMap["master"] == .tcp(host: "localhost", port: 9093, usesTLS: false))
    #expect(config.writers(of: .events) == ["worker1", "master"])
    #expect(config.writers(of: .backfill) == ["worker1", "master"])
    #expect(config.isWriter(of: .receipts) && !config.isWriter(of: .typing))
    #expect(config.listeners.map(\.kind) == [.http, .http, .metrics])
    #expect(config.listeners[0].endpoint == .tcp(addresses: ["127.0.0.1"], port: 9094))
    #expect(config.listeners[1].endpoint == .unix(path: "/run/w.sock", mode: 0o660))
    #expect(config.listeners[1].trustsForwardedHeaders && config.listeners[1].serves("federation"))
    #expect(config.listeners[2].endpoint == .tcp(addresses: ["0.0.0.0"], port: 9101))
    #expect(config.replicationSecret == "shared" && config.server.pidFile == "/run/w.pid")
    #expect(config.duties.runsBackgroundTasks && config.duties.runsPushers && !config.duties.updatesUserDirectory)
    #expect(!config.duties.sendsFederation && config.duties.federationSenders == ["master"])
  }

  @Test(arguments: [
    ("account_data", [StreamName.accountData]), ("device_lists", [.deviceLists]),
    ("events", [.events, .backfill, .stickyEvents, .profileUpdates]), ("presence", [.presence, .presenceFederation]),
    ("push_rules", [.pushRules]), ("quarantined_media_changes", [.quarantinedMedia]), ("receipts", [.receipts]),
    ("thread_subscriptions", [.threadSubscriptions]), ("to_device", [.toDevice]), ("typing", [.typing]),
  ])
  func aKeyOfStreamWritersAssignsItsStreamsAndNoOther(_ key: Text, _ streams: [StreamName]) throws {
    let (config, _) = try ConfigText.load(ConfigText.worker, "stream_writers: {\(key): worker1}", role: .worker)
    #expect(Set(StreamName.all.filter { config.isWriter(of: $0) }) == Set(streams))
    for stream in StreamName.all {
      #expect(config.writers(of: stream) == [streams.contains(stream) ? "worker1" : "master"])
    }
  }

  @Test(arguments: [
    ("redis: {enabled: true}", "worker_app: is missing"),
    ("worker_app: synapse.app.generic_worker\nredis: {enabled: true}", "instance_map: has no entry main"),
    ("worker_app: synapse.app.generic_worker\ninstance_map: {main: {host: a, port: 1}}", "redis: is not enabled"),
    ("worker_app: synapse.app.unheard", "worker_app: found \"synapse.app.unheard\""),
    (ConfigText.worker + "worker_replication_host: a", "worker_replication_host: is gone"),
    (ConfigText.worker + "worker_replication_port: 1", "worker_replication_port: direct TCP replication is gone"),
    (ConfigText.worker.replacing("generic_worker", with: "pusher"), "start_pushers: expected start_pushers: false"),
    (ConfigText.worker + "redis: {enabled: true, username: a}", "redis.username: found without a password"),
    (ConfigText.worker + "update_user_directory: false\nupdate_user_directory_from_worker: worker1", "contradicts"),
  ])
  func refusesBrokenClusters(_ text: Text, _ expected: Text) throws {
    let line = try #require(ConfigText.failure(text, role: .worker))
    #expect(line.contains(expected))
  }

  @Test func theMapSaysWhereOthersConnectAndTheListenerWhereItBinds() throws {
    let (config, _) = try ConfigText.load(
      """
      worker_app: synapse.app.generic_worker
      worker_name: worker1
      redis: {enabled: true}
      instance_map: {main: {host: main.internal, port: 9093}, worker1: {host: worker1.internal, port: 19094}}
      worker_listeners:
        - {type: http, port: 9094, bind_address: 10.0.0.7, resources: [{names: [replication]}]}
      """, role: .worker)
    #expect(config.instanceMap["worker1"] == .tcp(host: "worker1.internal", port: 19094, usesTLS: false))
    #expect(config.instanceMap["master"] == .tcp(host: "main.internal", port: 9093, usesTLS: false))
    #expect(config.listeners.map(\.endpoint) == [.tcp(addresses: ["10.0.0.7"], port: 9094)])
  }

  @Test func aWorkerWithoutANameIsCalledAfterItsApp() throws {
    let (config, _) = try ConfigText.load(
      ConfigText.worker.replacing("worker_name: worker1\n", with: ""), role: .worker)
    #expect(config.instanceName == "synapse.app.generic_worker")
    #expect(
      ConfigText.failure(ConfigText.worker.replacing("worker1\nredis", with: "master\nredis"), role: .worker) != nil)
  }

  @Test func aWorkerWithoutASigningKeyHasASecretOfItsOwn() throws {
    let keyless = ConfigText.worker + "signing_key:\nsigning_key_path: /nonexistent/key\n"
    let (config, _) = try ConfigText.load(keyless, role: .worker)
    #expect(throws: ConfigError.self) { try config.keys.signingKey }
    let line = ConfigText.failure(keyless + "macaroon_secret_key:\n", role: .worker)
    #expect(line?.contains("signing_key_path") == true)
    #expect(ConfigText.failure("signing_key:\nsigning_key_path: /nonexistent/key\n") != nil)
  }

  @Test func oldStyleWorkersTakeTheirDuty() throws {
    let (config, _) = try ConfigText.load(
      ConfigText.worker.replacing("generic_worker", with: "pusher"), "start_pushers: false", role: .worker)
    #expect(config.duties.runsPushers)
    let (main, _) = try ConfigText.load("start_pushers: false")
    #expect(!main.duties.runsPushers && main.duties.pushers.isEmpty)
  }

  @Test func readsRedis() throws {
    let (config, _) = try ConfigText.load(
      "redis: {enabled: true, host: r, port: 7000, password: 12345, dbid: 3, use_tls: true}")
    let redis = try #require(config.redis)
    #expect(
      redis.host == "r" && redis.port == 7000 && redis.password == "12345" && redis.databaseIndex == 3 && redis.usesTLS)
    let (off, _) = try ConfigText.load("redis: {host: r}")
    #expect(off.redis == nil)
  }
}
