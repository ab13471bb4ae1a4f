import ByteText
import MatrixPrimitives

/// The address at which another process of the cluster takes HTTP calls (an entry of `instance_map`).
public enum ReplicationAddress: Sendable, Hashable {
  /// Reached over TCP, with TLS when asked for.
  case tcp(host: Text, port: Int, tls: Bool)
  /// Reached over a unix socket.
  case unix(path: Text)

  /// Returns the URL of a path that is already percent-encoded.
  func url(path: Text) -> Text {
    switch self {
    case .tcp(let host, let port, let tls):
      let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
      return "\(tls ? "https" : "http")://\(name):\(port)\(path)"
    case .unix(let socket): return "http+unix://\(PathEncoding.encode(socket))\(path)"
    }
  }
}

/// The positions for the HTTP client: how to read the own ones and wait for those of others.
public struct ReplicationPositions: Sendable {
  /// The minimal own positions by stream name.
  public let own: @Sendable () -> [Text: Int64]
  /// Waits until positions of an instance were reached here, at most 5 s for each.
  public let wait: @Sendable (_ instance: Text, _ positions: [Text: Int64]) async -> Void

  /// Takes the two closures.
  /// - Parameters:
  ///   - own: gives the minimal own positions by stream name.
  ///   - wait: waits for positions of an instance.
  public init(
    own: @escaping @Sendable () -> [Text: Int64],
    wait: @escaping @Sendable (_ instance: Text, _ positions: [Text: Int64]) async -> Void
  ) {
    self.own = own
    self.wait = wait
  }

  /// Takes the positions from a hub.
  /// - Parameter hub: hub of this process.
  public init(hub: StreamHub) {
    self.init(
      own: {
        // The callee waits for these positions, also for ids that were given back unused and have no rows.
        hub.tick()
        return hub.ownPositions()
      },
      wait: { instance, positions in
        await withTaskGroup(of: Void.self) { group in
          for (stream, token) in positions {
            group.addTask {
              _ = await hub.waitForPosition(StreamName(rawValue: stream), instance: instance, token: token)
            }
          }
        }
      })
  }
}

/// The encoding of path segments as the replication endpoints expect them.
enum PathEncoding {
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// Percent-encodes everything but letters, digits and `_.-~`; a slash is encoded, too.
  static func encode(_ text: Text) -> Text {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count + 16)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default:
        bytes.append(UInt8(ascii: "%"))
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 0x0F)])
      }
    }
    return Text(decoding: bytes, as: UTF8.self)
  }
}
