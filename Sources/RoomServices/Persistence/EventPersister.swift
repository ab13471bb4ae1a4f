import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Stores

/// Writes events: the events, the graph, the state and everything that readers derive from them, then tells the cluster.
///
/// Only the room's writer may do so (`stream_writers.events`, sharded by room id). Events of one room are written one batch
/// after the other; what arrives meanwhile forms the next batch, which costs one transaction however many events it has.
public final class EventPersister: Sendable {
  /// Holds the greatest number of events in one transaction. Synapse's number.
  static let largestBatch = 100

  struct Job: Sendable {
    let events: [PersistableEvent]
    let backfilled: Bool
    let continuation: CheckedContinuation<[StoredEvent], any Error>
  }

  private let storage: Storage
  private let hub: StreamHub
  private let logger: Logger
  private let writers: [String]
  private let queues: RoomQueues<Job>

  /// Makes the persister.
  public init(storage: Storage, state: StateService, hub: StreamHub, logger: Logger) {
    self.storage = storage
    self.hub = hub
    self.logger = logger
    writers = Storage.writers(of: .events, in: storage.config)
    let batches = PersistBatch.Surroundings(storage: storage, state: state, hub: hub)
    queues = RoomQueues(takes: Self.jobsTogether) { room, jobs in
      await Self.run(jobs, room: room, surroundings: batches, logger: logger)
    }
  }

  /// Names the process that writes a room's events.
  public func writer(for room: RoomID) -> String? { Sharding.instance(for: room.rawValue, in: writers) }

  /// Tells whether this process writes a room's events.
  public func isWriter(for room: RoomID) -> Bool { writer(for: room) == hub.instanceName }

  /// Writes events of one room and returns when they are committed and announced.
  ///
  /// Safe to repeat: an event that is stored already is not written again.
  ///
  /// - Parameters:
  ///   - events: the events, each after those it follows.
  ///   - backfilled: whether they are history, which changes neither the current state nor the room's extremities.
  /// - Returns: one stored event for each, in the same order. An event whose transaction (device and transaction id) has
  ///   been used already comes back as the event of that transaction, so compare the ids.
  /// - Throws: `MatrixError` 404 when the room does not exist, 409 when it has been purged of a needed state; database errors.
  public func persist(
    _ events: [PersistableEvent], roomID: RoomID, backfilled: Bool = false
  ) async throws -> [StoredEvent] {
    guard !events.isEmpty else { return [] }
    guard isWriter(for: roomID) else {
      throw StoreError("\(hub.instanceName) does not write the events of \(roomID.rawValue)")
    }
    var stored: [StoredEvent] = []
    // Parts of a large batch are in line one after the other, so that each finds what the one before it wrote.
    for start in stride(from: 0, to: events.count, by: Self.largestBatch) {
      let part = Array(events[start..<min(start + Self.largestBatch, events.count)])
      stored += try await withCheckedThrowingContinuation { continuation in
        queues.add(Job(events: part, backfilled: backfilled, continuation: continuation), room: roomID)
      }
    }
    return stored
  }

  private static func jobsTogether(_ waiting: [Job]) -> Int {
    guard let first = waiting.first else { return 0 }
    var count = 0
    var events = 0
    for job in waiting {
      events += job.events.count
      guard job.backfilled == first.backfilled, events <= largestBatch || count == 0 else { break }
      count += 1
    }
    return count
  }

  private static func run(
    _ jobs: [Job], room: RoomID, surroundings: PersistBatch.Surroundings, logger: Logger
  ) async {
    do {
      let batch = PersistBatch(
        events: jobs.flatMap(\.events), roomID: room, backfilled: jobs[0].backfilled, surroundings: surroundings)
      var results = try await batch.run()[...]
      for job in jobs {
        job.continuation.resume(returning: Array(results.prefix(job.events.count)))
        results = results.dropFirst(job.events.count)
      }
    } catch {
      // Forget what a failed transaction may have left in memory: the database decides.
      surroundings.storage.rooms.invalidateExtremities(room)
      guard jobs.count > 1 else {
        logger.warning("events were not stored", metadata: ["room_id": "\(room)", "error": "\(error)"])
        jobs.first?.continuation.resume(throwing: error)
        return
      }
      // One bad event must not take its neighbours with it.
      for job in jobs { await run([job], room: room, surroundings: surroundings, logger: logger) }
    }
  }
}
