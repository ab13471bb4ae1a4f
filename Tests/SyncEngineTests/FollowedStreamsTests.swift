import MatrixPrimitives
import Replication
import Testing

@testable import SyncEngine

@Suite struct FollowedStreamsTests {
  /// Other processes wait for the position of every stream; one that no store asks for would be missing.
  @Test func aWholeServerAnswersForEveryStreamThatItWrites() async throws {
    let server = try await SyncFixture()
    let notYet: Set<StreamName> = [.presenceFederation, .federation]
    let written = StreamName.all.filter { !server.config.writers(of: $0).isEmpty || $0 == .caches }
    #expect(Set(server.hub.ownPositions().keys) == Set(written.filter { !notYet.contains($0) }.map(\.rawValue)))
    #expect(written.count >= 15)
  }
}
