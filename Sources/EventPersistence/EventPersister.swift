import FoundationEssentials
import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Stores

/// The writer of events: the events, the graph, the state and everything that readers derive from them; then it informs
/// the cluster.
///
/// Only the room's writer may do so (`stream_writers.events`, sharded by room id). Events of one room are written one batch
/// after the other. Few transactions are under way at a time; what arrives meanwhile, in whatever rooms, forms the next one,
/// which costs little more than that of a single event.
public final class EventPersister: Sendable {
  /// The greatest number of events in one transaction. Synapse's number.
  static let largestBatch = 100
  /// The number of transactions of this server's own events that may be under way at a time: one keeps about two
  /// processors busy, what it writes beside itself and what is prepared meanwhile included.
  private static let lanes = min(max(ProcessInfo.processInfo.activeProcessorCount / 2, 1), 4)

  struct Job: Sendable {
    let events: [PersistableEvent]
    let backfilled: Bool
    let areNew: Bool
    let whenVisible: (@Sendable () -> Void)?
    let continuation: CheckedContinuation<[StoredEvent], any Error>

    /// Returns whether working out what the events change may take long: what comes from elsewhere may need the room's
    /// states to be resolved.
    func mayTakeLong(on server: Text) -> Bool {
      backfilled || events.contains { $0.isOutlier || $0.event.sender.serverName != server }
    }
  }

  private let stores: RoomStores
  private let hub: StreamHub
  private let logger: Logger
  private let writers: [Text]
  private let lanes: PersistLanes<Job>
  private let orphans: PushActionOrphans

  /// Makes the persister.
  ///
  /// - Parameter usesCompanions: whether many push actions are written by transactions beside that of their events.
  public init(
    stores: RoomStores, state: StateService, hub: StreamHub, logger: Logger, usesCompanions: Bool = true
  ) {
    self.stores = stores
    self.hub = hub
    self.logger = logger
    writers = stores.config.writers(of: .events)
    orphans = PushActionOrphans(store: stores.pushActionOrphans, logger: logger)
    let surroundings = PersistBatch.Surroundings(
      stores: stores, state: state, hub: hub,
      pushActions: PushActionWriter(
        store: stores.pushActions, orphans: orphans, usesCompanions: usesCompanions))
    let server = stores.config.serverName
    lanes = PersistLanes(
      lanes: Self.lanes, largestGroup: Self.largestBatch, choose: { Self.jobsTogether($0, server: server) },
      work: { work, release in
        await Self.run(work, surroundings: surroundings, logger: logger, release: release)
      })
  }

  /// Clears away what transactions that ended in doubt may have left, until cancelled; does nothing on a process that writes no
  /// events.
  public func run() async {
    if writers.contains(hub.instanceName) { await orphans.run() }
  }

  /// Returns the process that writes a room's events.
  public func writer(for room: RoomID) -> Text? { Sharding.instance(for: room.rawValue, in: writers) }

  /// Returns whether this process writes a room's events.
  public func isWriter(for room: RoomID) -> Bool { writer(for: room) == hub.instanceName }

  /// Writes events of one room and returns when they are committed and announced.
  ///
  /// Safe to repeat: an event that is stored already is not written again.
  ///
  /// - Parameters:
  ///   - events: the events, each after those it follows.
  ///   - backfilled: whether they are history, which changes neither the current state nor the room's extremities.
  ///   - areNew: whether they were made just now, so that they are most likely not stored, nor anything of the same transactions.
  ///   - whenVisible: called when all the events have just been stored as they are, and only the disk is waited for: further
  ///     events may be built upon them and persisted, though they must not be announced yet. It must not take long. Not called when an
  ///     event was stored before.
  /// - Returns: one stored event for each, in the same order. An event whose request (device, transaction id and path) has been
  ///   carried out already, or which says again what the state says, comes back as the earlier event, so compare the ids.
  /// - Throws: `MatrixError` 404 when the room or a needed part of its state is gone, 409 when events follow one that is not going to be
  ///   stored; `StoreError` when they follow one that is not stored; database errors.
  public func persist(
    _ events: [PersistableEvent], roomID: RoomID, backfilled: Bool = false, areNew: Bool = false,
    whenVisible: @escaping @Sendable () -> Void = {}
  ) async throws -> [StoredEvent] {
    guard !events.isEmpty else { return [] }
    guard isWriter(for: roomID) else {
      throw StoreError("\(hub.instanceName) does not write the events of \(roomID.rawValue)")
    }
    var stored: [StoredEvent] = []
    // Parts of a large batch are queued in order, so that each finds what the one before it wrote.
    for start in stride(from: 0, to: events.count, by: Self.largestBatch) {
      let part = Array(events[start..<min(start + Self.largestBatch, events.count)])
      let isLast = start + part.count == events.count
      stored += try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<[StoredEvent], any Error>) in
        lanes.add(
          Job(
            events: part, backfilled: backfilled, areNew: areNew, whenVisible: isLast ? whenVisible : nil,
            continuation: continuation),
          room: roomID)
      }
    }
    return stored
  }

  private static func jobsTogether(_ waiting: [Job], server: Text) -> PersistLanes<Job>.Choice {
    var choice = PersistLanes<Job>.Choice(count: 0, weight: 0)
    guard let first = waiting.first else { return choice }
    choice.isSolitary = first.mayTakeLong(on: server)
    for job in waiting {
      guard job.backfilled == first.backfilled, job.mayTakeLong(on: server) == choice.isSolitary,
        choice.weight + job.events.count <= largestBatch || choice.count == 0
      else { break }
      choice.count += 1
      choice.weight += job.events.count
    }
    return choice
  }

  private static func run(
    _ group: [PersistLanes<Job>.RoomJobs], surroundings: PersistBatch.Surroundings, logger: Logger,
    mayTrust: Bool = true, release: @escaping @Sendable () -> Void = {}
  ) async {
    do {
      let batches = group.map { entry in
        PersistBatch(
          events: entry.jobs.flatMap(\.events), roomID: entry.room, backfilled: entry.jobs[0].backfilled,
          areNew: mayTrust && entry.jobs.allSatisfy(\.areNew), surroundings: surroundings)
      }
      let results = try await PersistGroup(batches: batches, surroundings: surroundings).run {
        isAsGiven in
        release()
        for (entry, isAsGiven) in zip(group, isAsGiven) where isAsGiven {
          for job in entry.jobs { job.whenVisible?() }
        }
      }
      for (entry, stored) in zip(group, results) {
        var rest = stored[...]
        for job in entry.jobs {
          job.continuation.resume(returning: Array(rest.prefix(job.events.count)))
          rest = rest.dropFirst(job.events.count)
        }
      }
    } catch {
      // Forget what a failed transaction may have left in memory: the database decides.
      for entry in group { surroundings.stores.rooms.invalidateExtremities(entry.room) }
      if (error as? PostgresError)?.code == .commitOutcomeUnknown {
        // Further events may be under way in these rooms already, so nothing is done again.
        logger.warning("events were lost by the database", metadata: ["error": "\(error)"])
        for job in group.flatMap(\.jobs) { job.continuation.resume(throwing: error) }
        return
      }
      if mayTrust, (error as? PostgresError)?.isUniqueViolation == true {
        // Something was there already: a client has repeated what it sent before this process or another had begun.
        return await run(group, surroundings: surroundings, logger: logger, mayTrust: false, release: release)
      }
      guard let only = group.first, group.count == 1, only.jobs.count == 1 else {
        return await runApart(group, surroundings: surroundings, logger: logger)
      }
      logger.warning("events were not stored", metadata: ["room_id": "\(only.room)", "error": "\(error)"])
      only.jobs.first?.continuation.resume(throwing: error)
    }
  }

  /// Does the jobs of a failed group again, so that one bad event does not take its neighbours with it: first each room's
  /// alone, then each job alone.
  private static func runApart(
    _ group: [PersistLanes<Job>.RoomJobs], surroundings: PersistBatch.Surroundings, logger: Logger
  ) async {
    for entry in group {
      let parts = group.count > 1 ? [entry.jobs] : entry.jobs.map { [$0] }
      for jobs in parts {
        await run([.init(room: entry.room, jobs: jobs)], surroundings: surroundings, logger: logger, mayTrust: false)
      }
    }
  }
}
