import MatrixEvents
import MatrixPrimitives
import Stores

/// A request with a transaction id, by which a device of this server sent an event.
struct SentTransaction: Sendable {
  /// The request that has taken a name; without a path when its event cannot be read.
  struct Owner: Sendable {
    let eventID: EventID
    let path: TransactionPath?
  }

  let eventID: EventID
  let path: TransactionPath
  /// The names under which the request may be stored, the best first.
  let names: [EventStore.TransactionName]

  /// Collects the requests that have sent events, by the events.
  static func list(_ events: [PersistableEvent], stores: RoomStores) async throws -> [EventID: SentTransaction] {
    let sent = events.filter { $0.metadata.txnID != nil && $0.metadata.deviceID != nil }
    guard !sent.isEmpty else { return [:] }
    let paths = try await stores.events.transactionPaths(of: sent.map(\.event))
    var result: [EventID: SentTransaction] = [:]
    for item in sent {
      let event = item.event
      guard let txnID = item.metadata.txnID, let device = item.metadata.deviceID, let path = paths[event.eventID]
      else { continue }
      let transaction = EventStore.DeviceTransaction(
        userID: event.sender, deviceID: device, txnID: txnID, path: path)
      let names = transaction.storedNames.map { text in
        EventStore.TransactionName(
          roomID: event.roomID.rawValue, sender: event.sender.rawValue, device: device, text: text)
      }
      result[event.eventID] = SentTransaction(eventID: event.eventID, path: path, names: names)
    }
    return result
  }
}

extension KnownEvents {
  /// Finds the events whose request was carried out before the batch, or earlier in it, and gives the others names in the table
  /// of transactions. The table has no column for the path, so an id that another path has taken is stored with its own.
  mutating func settleTransactions(
    _ sent: [SentTransaction], _ owners: [EventStore.TransactionName: SentTransaction.Owner]
  ) {
    var owners = owners
    for request in sent {
      if let owner = request.names.lazy.compactMap({ owners[$0] }).first(where: { $0.path == request.path }) {
        if owner.eventID != request.eventID { replacements[request.eventID] = owner.eventID }
      } else if let free = request.names.first(where: { owners[$0] == nil }) {
        owners[free] = SentTransaction.Owner(eventID: request.eventID, path: request.path)
        transactionNames[request.eventID] = free.text
      }
    }
  }

  /// Finds state events that say what the room's state says already, by the same sender, though their creator had not seen it:
  /// of ten joins sent to several workers at once one is stored.
  ///
  /// Cost: nothing for events that follow the room's end, since their creators have seen all.
  mutating func findRepeatedState(_ batch: PersistBatch, stores: RoomStores) async throws {
    let server = stores.config.serverName
    let suspects = batch.events.filter { item in
      item.event.isState && item.isAccepted && item.event.sender.serverName == server
        && stored[item.event.eventID] == nil && replacements[item.event.eventID] == nil
    }
    guard !batch.backfilled, !suspects.isEmpty, try await !Self.followsEnd(batch, stores: stores) else { return }
    let keys = suspects.compactMap(\.event.key)
    let current = try await stores.state.currentState(batch.roomID, filter: .keys(keys))
    let events = try await stores.events.events(Array(current.values))
    var latest = current.compactMapValues { events[$0]?.event }
    for event in suspects.map(\.event) {
      guard let key = event.key else { continue }
      if let said = latest[key], said.eventID != event.eventID, said.sender == event.sender,
        event.unsigned?["replaces_state"]?.string != said.eventID.rawValue, said.content.json == event.content.json
      {
        replacements[event.eventID] = said.eventID
      } else {
        latest[key] = event
      }
    }
    // A repeated request may have been found to repeat one that is replaced itself.
    replacements = replacements.mapValues { replacements[$0] ?? $0 }
  }

  /// Returns whether the events of a batch follow each other and the first one the whole end of the room.
  private static func followsEnd(_ batch: PersistBatch, stores: RoomStores) async throws -> Bool {
    var end = Set(try await stores.rooms.forwardExtremities(batch.roomID).keys)
    for event in batch.events.map(\.event) {
      guard Set(event.prevEvents) == end else { return false }
      end = [event.eventID]
    }
    return true
  }
}
