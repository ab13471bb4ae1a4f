import MatrixEvents
import MatrixPrimitives
import Stores

/// The writer of events for clients, which copies slices of their bytes and splices `unsigned` in.
public final class ClientEventSerializer: Sendable {
  private let events: EventStore
  private let aggregationReader: AggregationReader

  init(stores: RoomStores, accountData: AccountDataStore, access: RoomAccess, visibility: VisibilityFilter) {
    events = stores.events
    aggregationReader = AggregationReader(
      stores: stores, accountData: accountData, access: access, visibility: visibility)
  }

  /// Fetches what belongs in the unsigned part of events: replaced state and, if wanted, aggregations.
  ///
  /// - Parameters:
  ///   - memberships: the reader's membership at each event, where it is to be shown.
  ///   - bundles: whether aggregations are read (one statement, three for those that have some; none for events that are known to have none); see ``RelatedEvent/mayBeParent(of:)``.
  public func prepare(
    _ events: [StoredEvent], for reader: UserID?, memberships: [EventID: Text] = [:], bundles: Bool = true
  ) async throws -> [ClientEvent] {
    var replacedIDs: [EventID] = []
    for event in events {
      if let id = Self.replacedID(event) { replacedIDs.append(id) }
    }
    let replaced = replacedIDs.isEmpty ? [:] : try await self.events.events(replacedIDs)
    let aggregations =
      if bundles, let reader { try await aggregationReader.read(events, for: reader) } else {
        [EventID: BundledAggregations]()
      }
    return events.map { event in
      ClientEvent(
        event, membership: memberships.isEmpty ? nil : memberships[event.eventID],
        replaced: replaced.isEmpty ? nil : Self.replacedID(event).flatMap { replaced[$0] },
        aggregations: aggregations.isEmpty ? nil : aggregations[event.eventID])
    }
  }

  private static func replacedID(_ event: StoredEvent) -> EventID? {
    event.event.isState ? event.replacedEventID : nil
  }

  /// Writes one event; nothing is fetched.
  public func write(_ event: ClientEvent, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    write(
      event.stored, replaced: event.replaced, membership: event.membership, aggregations: event.aggregations, options,
      to: &writer)
  }

  /// Writes one event with its unsigned part; see ``ClientEvent``.
  public func write(
    _ stored: StoredEvent, replaced: StoredEvent? = nil, membership: Text? = nil,
    aggregations: BundledAggregations? = nil, _ options: ClientEventOptions, to writer: inout JSONWriter
  ) {
    var unsigned = ClientUnsigned(nowMilliseconds: options.now)
    unsigned.membership = membership
    unsigned.transactionID = Self.transactionID(stored, reader: options.requester)
    if let delayID = stored.metadata.delayID, stored.sender == options.requester?.userID {
      unsigned.delayID = delayID
      // That it serves as a transaction id is nothing that a client has asked for.
      if unsigned.transactionID == delayID { unsigned.transactionID = nil }
    }
    if let replaced {
      unsigned.previousContent = replaced.event.content
      unsigned.previousSender = replaced.event.sender
    }
    if let redaction = stored.redactedBecause {
      unsigned.redactedBy = redaction.eventID
      unsigned.redactedBecause = bytes { write(redaction, options, to: &$0) }
    }
    if let aggregations { unsigned.relations = bytes { write(aggregations, options, to: &$0) } }
    options.format.write(stored.event, unsigned: unsigned, to: &writer)
  }

  /// Writes events as an array.
  public func write(_ events: [ClientEvent], _ options: ClientEventOptions, to writer: inout JSONWriter) {
    writer.beginArray()
    for event in events { write(event, options, to: &writer) }
    writer.endArray()
  }

  private func bytes(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter(capacity: 512)
    body(&writer)
    return writer.bytes
  }

  private func write(_ bundled: BundledAggregations, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    writer.beginObject()
    if !bundled.references.isEmpty {
      writer.key("m.reference")
      writer.beginObject()
      writer.key("chunk")
      writer.value(JSON.array(bundled.references.map { ["event_id": .string($0.rawValue)] }))
      writer.endObject()
    }
    if let edit = bundled.edit {
      writer.key("m.replace")
      write(ClientEvent(edit), options, to: &writer)
    }
    if let thread = bundled.thread {
      writer.key("m.thread")
      writer.beginObject()
      writer.key("latest_event")
      let edit = thread.latestEdit.map { BundledAggregations(edit: $0) }
      write(ClientEvent(thread.latest, aggregations: edit), options, to: &writer)
      writer.member("count", thread.count)
      writer.member("current_user_participated", thread.hasParticipated)
      writer.endObject()
    }
    writer.endObject()
  }

  /// Returns the transaction id when the reader is the device that sent the event.
  private static func transactionID(_ event: StoredEvent, reader: Requester?) -> Text? {
    guard let transactionID = event.metadata.txnID, let reader, reader.userID == event.sender else { return nil }
    if let deviceID = event.metadata.deviceID { return deviceID == reader.deviceID ? transactionID : nil }
    guard let tokenID = event.metadata.tokenID else { return nil }
    return tokenID == reader.accessTokenID ? transactionID : nil
  }
}
