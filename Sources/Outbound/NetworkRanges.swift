import ByteText
import CCurl
import Glibc

/// Networks by their addresses, such as `10.0.0.0/8`.
public struct NetworkRanges: Sendable {
  let networks: [ccurl_network]

  /// Reads networks; nil as soon as one is none.
  public init?(_ ranges: [Text]) {
    var networks: [ccurl_network] = []
    for range in ranges {
      guard let network = Self.network(range) else { return nil }
      networks.append(network)
    }
    self.networks = networks
  }

  /// No network.
  public static let none = NetworkRanges(networks: [])

  private init(networks: [ccurl_network]) { self.networks = networks }

  private static func network(_ range: Text) -> ccurl_network? {
    let (address, length) = range.cut(at: "/").map { ($0.before, Optional($0.after)) } ?? (range, nil)
    guard let (family, bytes) = Self.bytes(address) else { return nil }
    let bits = family == 4 ? 32 : 128
    guard let prefix = length.map({ Int($0) }) ?? bits, (0...bits).contains(prefix) else { return nil }
    var network = ccurl_network()
    network.family = family
    network.prefix = Int32(prefix)
    withUnsafeMutableBytes(of: &network.bytes) { $0.copyBytes(from: bytes) }
    return network
  }

  private static func bytes(_ address: Text) -> (family: Int32, bytes: [UInt8])? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, address.string, &bytes) == 1 { return (4, Array(bytes.prefix(4))) }
    if inet_pton(AF_INET6, address.string, &bytes) == 1 { return (6, bytes) }
    return nil
  }

  /// Returns whether an address is in one of the networks; false for what is no address.
  public func contains(_ address: Text) -> Bool {
    guard let (family, bytes) = Self.bytes(address) else { return false }
    return networks.contains { network in
      withUnsafePointer(to: network) { ccurl_contains($0, family, bytes) != 0 }
    }
  }
}
