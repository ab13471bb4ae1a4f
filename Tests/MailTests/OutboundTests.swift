import MatrixPrimitives
import Testing

@testable import Outbound

/// What is connected to, and what is not.
@Suite struct OutboundTests {
  @Test func networksContainTheirAddresses() throws {
    let ranges = try #require(NetworkRanges(["127.0.0.0/8", "10.1.0.0/15", "::1/128", "fe80::/10", "192.0.2.7"]))
    for address in ["127.0.0.1", "127.255.0.1", "10.0.0.0", "10.1.2.3", "::1", "fe80::1", "192.0.2.7"] as [Text] {
      #expect(ranges.contains(address), "\(address)")
    }
    for address in ["128.0.0.1", "10.2.0.0", "9.255.255.255", "::2", "192.0.2.8", "nonsense"] as [Text] {
      #expect(!ranges.contains(address), "\(address)")
    }
    for wrong in ["1.2.3.4/33", "x", "1.2.3.4/", "::/129", "1.2.3.4/-1"] as [Text] {
      #expect(NetworkRanges([wrong]) == nil, "\(wrong)")
    }
  }

  @Test(
    arguments: ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://[::ffff:127.0.0.1]:9/"]
      as [Text])
  func whatAUserChoseIsNotConnectedToInABlockedNetwork(_ url: Text) async throws {
    let client = OutboundClient(blocked: try #require(NetworkRanges(["127.0.0.0/8", "::1/128"])))
    await #expect { try await client.send(.init("GET", url), trust: .user) } throws: {
      if case .refused? = $0 as? OutboundError { true } else { false }
    }
  }

  @Test func otherProtocolsAndLineEndsGoNowhere() async {
    let client = OutboundClient()
    for url in ["file:///etc/hostname", "gopher://127.0.0.1/", "http://127.0.0.1:9/\r\nX: y", "nonsense"] as [Text] {
      await #expect(throws: OutboundError.self) { try await client.send(.init("GET", url), trust: .administrator) }
    }
  }
}
