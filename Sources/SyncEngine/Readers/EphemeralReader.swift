import MatrixPrimitives
import Stores

/// The reader of what is news in rooms for a moment only: who types, and who has read how far.
final class EphemeralReader: Sendable {
  private let typing: TypingService
  private let receipts: ReceiptStore

  init(typing: TypingService, receipts: ReceiptStore) {
    self.typing = typing
    self.receipts = receipts
  }

  /// Reads who types in the rooms in which that changed; a room where typing has ended has an empty list.
  ///
  /// - Parameter position: the position after which changes count; nil for all rooms in which somebody types.
  func typing(in rooms: Set<RoomID>, after position: Int64?) -> [RoomID: [UserID]] {
    typing.changes(in: rooms, since: position ?? 0)
  }

  /// Reads the receipts of rooms between two positions, all together; private ones of other users included.
  ///
  /// - Parameter position: nil for every receipt of the rooms.
  func receipts(
    in rooms: Set<RoomID>, after position: MultiWriterToken?, upTo: MultiWriterToken
  ) async throws -> [RoomID: [Receipt]] {
    guard position != upTo else { return [:] }
    return try await receipts.receipts(in: Array(rooms), after: position, upTo: upTo)
  }
}
