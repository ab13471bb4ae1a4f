// swift-tools-version: 6.2
import PackageDescription

// Targets are listed from the bottom layer up; a target may depend only on layers above its own line in Docs/design.md.
// `make lint` compares the edges below with Deploy/lint/edges.tsv.

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

// What is released is small in memory: relocations packed (glibc 2.36), and no symbols for libraries that do not exist.
let small: [LinkerSetting] = [
  .unsafeFlags(
    ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic"],
    .when(configuration: .release))
]

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: small)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hdrHistogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")

let package = Package(
  name: "myelin",
  products: [
    .library(name: "HomeserverCore", targets: ["Replication", "StorageEngine", "Stores"]),
    .executable(name: "homeserver", targets: ["homeserver"]),
    .executable(name: "generic_worker", targets: ["generic_worker"]),
    .executable(name: "generate_config", targets: ["generate_config"]),
    .executable(name: "generate_signing_key", targets: ["generate_signing_key"]),
    .executable(name: "hash_password", targets: ["hash_password"]),
    .executable(name: "register_new_matrix_user", targets: ["register_new_matrix_user"]),
    .executable(name: "bench", targets: ["bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // Layer 0: what the system has
    .systemLibrary(name: "CLibPQ", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "CLibYAML", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
    .systemLibrary(name: "CUnistring", providers: [.apt(["libunistring-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CMalloc"),
    .target(name: "CScan"),
    .target(name: "CCurl"),
    library("Threads", []),
    library("ByteText", []),

    // Layer 1: kits
    library("Postgres", ["ByteText", "CLibPQ", "Threads", logging, lifecycle]),
    library("Redis", ["ByteText", "CHiredis", "Threads", logging, nioCore, nioPosix, nioSSL]),
    library("YAML", ["ByteText", "CLibYAML"]),
    library("MatrixPrimitives", ["ByteText", "CScan", "CUnistring"]),
    library("Outbound", ["ByteText", "CCurl", "Threads"]),

    // Layer 2: rules and settings
    library("MatrixEvents", ["ByteText", "MatrixPrimitives", crypto]),
    library("ServerConfig", ["ByteText", "YAML", "MatrixPrimitives", crypto, logging]),
    library("PasswordHashing", ["ByteText", "MatrixPrimitives", "CCrypt", "CUnistring"]),
    library("Templates", ["ByteText", "MatrixPrimitives"]),

    // Layer 3: streams and storage
    library(
      "Replication",
      ["ByteText", "MatrixPrimitives", "ServerConfig", "Redis", asyncHTTPClient, nioCore, nioHTTP1, logging, crypto]),
    library("StorageEngine", ["ByteText", "MatrixPrimitives", "Postgres", collections, logging]),

    library("RateLimits", ["ByteText", "MatrixPrimitives", "ServerConfig"]),
    library("Mail", ["ByteText", "MatrixPrimitives", "Outbound", "ServerConfig", "Templates"]),

    // Layer 4: SQL
    library(
      "Stores",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "ServerConfig", "Replication", "StorageEngine", "Postgres",
        collections, logging,
      ]),

    // Layer 5: events written
    library(
      "EventPersistence",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "ServerConfig", "Replication", "StorageEngine", "Stores",
        "Postgres", logging,
      ]),

    // Layer 6: services
    library(
      "RoomServices",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "ServerConfig", "Replication", "StorageEngine", "Stores",
        "EventPersistence", "Postgres", logging,
      ]),
    library(
      "AccountServices",
      [
        "ByteText", "MatrixPrimitives", "ServerConfig", "Replication", "StorageEngine", "Stores", "PasswordHashing",
        "RateLimits", "Mail", "Outbound", "Templates", crypto, logging,
      ]),
    library(
      "EncryptionServices",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "Stores", "AccountServices", crypto,
      ]),
    library(
      "SyncEngine",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "ServerConfig", "Replication", "StorageEngine", "Stores",
        "Postgres", "RateLimits",
        "RoomServices", collections, logging,
      ]),

    library(
      "UserDirectory",
      [
        "ByteText", "MatrixPrimitives", "MatrixEvents", "ServerConfig", "RateLimits", "Replication", "Stores", logging,
      ]),

    // Layer 7: endpoints
    library("EndpointKit", ["ByteText", "MatrixPrimitives", httpTypes, logging]),
    library(
      "ClientEndpoints",
      [
        "ByteText", "EndpointKit", "MatrixPrimitives", "MatrixEvents", "RateLimits", "ServerConfig", "RoomServices",
        "AccountServices", "EncryptionServices", "SyncEngine", "UserDirectory", crypto,
      ]),
    library(
      "AdminEndpoints",
      ["ByteText", "EndpointKit", "MatrixPrimitives", "ServerConfig", "AccountServices", "EncryptionServices", crypto]),
    library("ReplicationEndpoints", ["ByteText", "EndpointKit", "MatrixPrimitives", "Replication"]),

    // Layer 9: the life of a process
    library(
      "WorkerRuntime",
      [
        "ByteText", "EndpointKit", "MatrixPrimitives", "ServerConfig", "Replication", "ReplicationEndpoints",
        "StorageEngine", "Stores", "Postgres", "Redis",
        "CMalloc", "CZlib", hummingbirdCore, hummingbirdTLS, nioCore, nioPosix, nioSSL, httpTypes, lifecycle, logging,
      ]),

    // Layers 10 to 12: subsystems, of which each executable picks its own
    library(
      "RoomComposition",
      [
        "ByteText", "WorkerRuntime", "RoomServices", "RateLimits", "Stores", "Replication",
        "ServerConfig", "MatrixPrimitives", "MatrixEvents", crypto, lifecycle,
      ]),
    library(
      "AccountComposition",
      [
        "ByteText", "WorkerRuntime", "RoomComposition", "EndpointKit", "AccountServices", "RoomServices", "Stores",
        "Replication", "MatrixPrimitives", lifecycle, logging,
      ]),
    library(
      "SyncComposition",
      ["ByteText", "WorkerRuntime", "RoomComposition", "SyncEngine", "Replication", lifecycle]),
    library("DirectoryComposition", ["ByteText", "WorkerRuntime", "RoomComposition", "UserDirectory", lifecycle]),
    library(
      "EncryptionComposition",
      [
        "ByteText", "WorkerRuntime", "RoomComposition", "AccountComposition", "EncryptionServices",
      ]),
    library("PushComposition", ["ByteText", "WorkerRuntime", "EventPersistence", "Stores", lifecycle]),
    library(
      "ClientComposition",
      [
        "ByteText", "PushComposition", "WorkerRuntime", "EndpointKit", "ClientEndpoints", "RoomComposition",
        "AccountComposition", "EncryptionComposition", "DirectoryComposition",
        "SyncComposition", "RateLimits",
      ]),

    // Layer 13: one binary per worker app, and the administrator's tools
    executable(
      "homeserver",
      [
        "ByteText", "ClientComposition", "AccountComposition", "EncryptionComposition", "WorkerRuntime", "EndpointKit",
        "AdminEndpoints",
        "ServerConfig", argumentParser,
      ]),
    executable("generic_worker", ["ClientComposition", "ServerConfig", "WorkerRuntime", argumentParser]),
    executable("generate_config", ["ByteText", "ServerConfig", argumentParser]),
    executable("generate_signing_key", ["ServerConfig", argumentParser]),
    executable(
      "hash_password", ["ByteText", "MatrixPrimitives", "PasswordHashing", "ServerConfig", argumentParser]),
    executable(
      "register_new_matrix_user",
      ["ByteText", "ServerConfig", "MatrixPrimitives", crypto, asyncHTTPClient, nioCore, argumentParser]),

    // Measures any homeserver from outside
    executable(
      "bench",
      [
        "MatrixPrimitives", argumentParser, asyncHTTPClient, hdrHistogram, crypto, nioCore, nioPosix, nioHTTP1, nioSSL,
      ]),

    // Measures hot code by itself
    executable(
      "microbench",
      ["ByteText", "MatrixEvents", "MatrixPrimitives", "Replication", "Stores", crypto, argumentParser]),

    // Tests
    .target(
      name: "TestSupport",
      dependencies: [
        "ByteText", "MatrixPrimitives", "Postgres", "StorageEngine", "Replication", logging,
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    .target(name: "SeededNumbers", path: "Tests/SeededNumbers", swiftSettings: strict),
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "ByteText", "MatrixEvents", "MatrixPrimitives", "Replication", "Stores", "SeededNumbers", argumentParser,
      ],
      path: "Tests/Fuzz", exclude: ["corpus", "run"], swiftSettings: strict),
    .executableTarget(
      name: "rules_probe", dependencies: ["ByteText", "MatrixEvents", "MatrixPrimitives", crypto],
      path: "Tests/RulesProbe",
      swiftSettings: strict),
    .executableTarget(
      name: "template_probe", dependencies: ["ByteText", "MatrixPrimitives", "Templates"], path: "Tests/TemplateProbe",
      swiftSettings: strict),
    tests("MatrixPrimitivesTests", ["ByteText", "MatrixPrimitives", "SeededNumbers"]),
    tests("MatrixEventsTests", ["ByteText", "MatrixEvents", "MatrixPrimitives", "SeededNumbers", crypto]),
    tests("ThreadsTests", ["Threads"]),
    tests("PostgresTests", ["ByteText", "Postgres", "SeededNumbers", "TestSupport", logging]),
    tests(
      "RedisTests",
      ["ByteText", "Redis", "CHiredis", "SeededNumbers", "TestSupport", nioCore, nioPosix, nioSSL, logging]),
    tests("YAMLTests", ["ByteText", "YAML", "SeededNumbers"]),
    tests("ServerConfigTests", ["ByteText", "ServerConfig", "MatrixPrimitives"]),
    tests("TemplatesTests", ["ByteText", "MatrixPrimitives", "Templates"]),
    tests("MailTests", ["ByteText", "Mail", "MatrixPrimitives", "Outbound"]),
    tests("PasswordHashingTests", ["ByteText", "PasswordHashing", "MatrixPrimitives"]),
    tests(
      "ReplicationTests",
      [
        "ByteText", "Replication", "Redis", "MatrixPrimitives", "SeededNumbers", "TestSupport", nioCore, nioPosix,
        nioHTTP1,
        logging,
      ]),
    tests(
      "StorageEngineTests",
      ["ByteText", "StorageEngine", "MatrixPrimitives", "Postgres", "SeededNumbers", "TestSupport", logging]),
    tests(
      "StoresTests",
      [
        "ByteText", "Stores", "StorageEngine", "Replication", "ServerConfig", "Postgres", "MatrixPrimitives",
        "TestSupport", logging,
      ]),
    tests(
      "RoomServicesTests",
      [
        "ByteText", "RoomServices", "EventPersistence", "ClientEndpoints", "EndpointKit", "Stores", "Replication",
        "StorageEngine", "Postgres",
        "ServerConfig", "MatrixEvents", "MatrixPrimitives", "SeededNumbers", "TestSupport", logging, crypto, httpTypes,
      ]),
    tests(
      "UserDirectoryTests",
      [
        "ByteText", "UserDirectory", "Stores", "Replication", "ServerConfig", "Postgres", "MatrixPrimitives",
        "TestSupport", logging,
      ]),
    tests("RateLimitsTests", ["ByteText", "RateLimits", "ServerConfig", "MatrixPrimitives"]),
    tests(
      "AccountServicesTests",
      [
        "ByteText", "AccountServices", "Stores", "Replication", "ServerConfig", "MatrixPrimitives", "TestSupport",
        crypto, logging,
      ]),
    tests(
      "EncryptionServicesTests",
      [
        "ByteText", "EncryptionServices", "AccountServices", "Stores", "Replication", "ServerConfig", "Postgres",
        "MatrixPrimitives", "TestSupport", crypto, logging,
      ]),
    tests(
      "SyncEngineTests",
      [
        "ByteText", "SyncEngine", "RoomServices", "Stores", "Replication", "ServerConfig", "MatrixEvents",
        "MatrixPrimitives",
        "SeededNumbers", "TestSupport", crypto, logging,
      ]),
    tests(
      "ReplicationEndpointsTests",
      ["ByteText", "ReplicationEndpoints", "EndpointKit", "Replication", "MatrixPrimitives", httpTypes, logging]),
    tests(
      "WorkerRuntimeTests",
      ["ByteText", "WorkerRuntime", "EndpointKit", "ServerConfig", "MatrixPrimitives", "CZlib", lifecycle, logging]),
    .executableTarget(
      name: "pusher_parts", dependencies: ["PushComposition", "Stores", "WorkerRuntime"], path: "Tests/PusherParts",
      swiftSettings: strict, linkerSettings: small),
    tests(
      "ServerTests",
      [
        "ByteText", "homeserver", "generic_worker", "pusher_parts", "ServerConfig", "WorkerRuntime", "EndpointKit",
        "MatrixPrimitives", "TestSupport", crypto, httpTypes,
      ], exclude: ["SynapseEndpoints.tsv"]),
    tests("benchTests", ["bench", "SeededNumbers", nioCore]),
    tests(
      "EndpointKitTests", ["ByteText", "EndpointKit", "MatrixPrimitives", "SeededNumbers", httpTypes]),
  ],
  swiftLanguageModes: [.v6]
)
