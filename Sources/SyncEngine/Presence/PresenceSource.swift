import ByteText
import MatrixPrimitives
import Replication
import StorageEngine
import Stores

/// The source from which the hub gets the positions and the rows of the `presence` stream.
final class PresenceSource: StreamSource {
  private let store: PresenceStore
  private let ids: StreamIDGenerator

  init(store: PresenceStore) {
    self.store = store
    ids = store.ids
  }

  var stream: StreamName { .presence }
  var minimalLocalToken: Int64? { ids.minimalLocalToken }
  func currentToken(of instance: Text) -> Int64 { ids.position(of: instance) }
  func advance(_ instance: Text, to token: Int64) { ids.advance(instance, to: token) }

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    let rows = try await store.rows(after: from, upTo: to, limit: limit)
    let isLimited = rows.count >= limit
    return StreamUpdates(
      rows: rows.map { ($0.token, .presence($0.state.row)) }, upTo: isLimited ? rows.last?.token ?? to : to,
      limited: isLimited)
  }
}
