import ByteText
import Collections

/// The positions of a stream that are complete, for one process among several writers. Pure: no input, no output.
///
/// All numbers are positive here; a stream that runs backwards is turned round by its owner. An id counts as in flight from the
/// moment it is asked for until its transaction has ended, and no position passes an id in flight.
struct StreamPositions: Sendable {
  /// A request for ids whose answer is not known yet: ids above this one may come.
  struct Fetch: Sendable {
    fileprivate let highestSeen: Int64
  }

  let instanceName: Text
  /// The position of every writer that is known.
  private(set) var writers: [Text: Int64] = [:]
  /// Everything up to here has been persisted, by whomever. The first id handed out is 2, so it starts at 1.
  private(set) var persistedUpTo: Int64 = 1
  /// The own position when nothing is in flight: the furthest position that any writer has announced.
  private(set) var ownMaximum: Int64 = 1

  private var highestSeen: Int64 = 1
  private var inFlight: Set<Int64> = []
  /// The ids in flight by size; those that have left `inFlight` are skipped.
  private var inFlightBySize = Heap<Int64>()
  private var fetches: [Int64] = []
  private var finished = Heap<Int64>()
  /// Positions above `persistedUpTo` that are known to be persisted; they count once the gap below is closed.
  private var knownPersisted = Heap<Int64>()

  /// Begins with nothing known.
  init(instanceName: Text) {
    self.instanceName = instanceName
  }

  /// Takes over what the database says at start.
  ///
  /// - Parameters:
  ///   - known: The positions of the writers that have one.
  ///   - configured: All writers; empty when every instance may write.
  ///   - largest: The largest id in the tables; counts only when no writer has a position.
  ///   - rows: The ids in the tables from the smallest position on, with their writers.
  init(
    instanceName: Text, known: [Text: Int64], configured: [Text], largest: Int64,
    rows: [(instance: Text?, id: Int64)]
  ) {
    self.instanceName = instanceName
    writers = known
    if let smallest = known.values.min() {
      persistedUpTo = smallest
      for row in rows.sorted(by: { $0.id < $1.id }) {
        addPersisted(row.id)
        if row.instance == instanceName { raiseOwn(to: row.id) }
      }
    } else {
      persistedUpTo = max(1, largest)
    }
    for writer in configured where writers[writer] == nil { writers[writer] = persistedUpTo }
    highestSeen = max(writers.values.max() ?? 1, persistedUpTo, 1)
    ownMaximum = highestSeen
    if configured.isEmpty { writers[instanceName] = persistedUpTo }
  }

  /// Whether something of this process is in flight.
  var isBusy: Bool { !inFlight.isEmpty || !fetches.isEmpty }

  /// Returns the position of a writer; for an unknown one, the position that everything persisted has reached.
  func position(of instance: Text) -> Int64 {
    if instance == instanceName { return ownMaximum }
    return max(writers[instance] ?? persistedUpTo, persistedUpTo)
  }

  /// The own position without the optimism of ``ownMaximum``.
  var own: Int64 { writers[instanceName] ?? persistedUpTo }

  /// All known writers with how far their rows may be read.
  var all: [Text: Int64] { writers.mapValues { max($0, persistedUpTo) } }

  /// Notes that ids are being asked for.
  mutating func beginFetch() -> Fetch {
    fetches.append(highestSeen)
    return Fetch(highestSeen: highestSeen)
  }

  /// Notes which ids came, none when asking failed.
  mutating func endFetch(_ fetch: Fetch, ids: [Int64]) {
    for id in ids {
      inFlight.insert(id)
      inFlightBySize.insert(id)
      highestSeen = max(highestSeen, id)
    }
    if let index = fetches.firstIndex(of: fetch.highestSeen) { fetches.remove(at: index) }
    // A request that brought nothing may have held back ids that were finished meanwhile.
    if ids.isEmpty { finish([]) }
  }

  /// Notes that the transactions of ids have ended, with or without success.
  mutating func finish(_ ids: [Int64]) {
    let ended = ids.filter { inFlight.remove($0) != nil }
    for id in ended { finished.insert(id) }
    let limit = smallestInFlight
    var reached: Int64?
    while let smallest = finished.min, limit.map({ smallest < $0 }) ?? true { reached = finished.popMin() }
    if let reached {
      raiseOwn(to: reached)
      ownMaximum = max(ownMaximum, own)
    }
    for id in ended { addPersisted(id) }
    if ended.isEmpty { addPersisted(persistedUpTo) }
  }

  /// Notes how far another writer says it is. Announcements about this process are ignored: it knows its own position.
  mutating func advance(_ instance: Text, to position: Int64) {
    guard instance != instanceName else { return }
    writers[instance] = max(writers[instance] ?? 0, position)
    highestSeen = max(highestSeen, position)
    addPersisted(position)
  }

  private mutating func raiseOwn(to position: Int64) {
    writers[instanceName] = max(writers[instanceName] ?? 0, position)
  }

  /// The smallest id that is in flight or might be: the one after the highest that was seen when ids were asked for.
  private var smallestInFlight: Int64? {
    mutating get {
      while let smallest = inFlightBySize.min, !inFlight.contains(smallest) { inFlightBySize.removeMin() }
      let fetched = fetches.min().map { $0 + 1 }
      guard let smallest = inFlightBySize.min else { return fetched }
      return fetched.map { min($0, smallest) } ?? smallest
    }
  }

  private mutating func addPersisted(_ position: Int64) {
    if position > persistedUpTo { knownPersisted.insert(position) }
    persistedUpTo = max(persistedUpTo, smallestWriter)
    while let next = knownPersisted.min {
      if next > persistedUpTo + 1 { break }
      persistedUpTo = max(persistedUpTo, next)
      knownPersisted.removeMin()
    }
    ownMaximum = max(ownMaximum, persistedUpTo)
    if !isBusy { ownMaximum = max(ownMaximum, highestSeen) }
  }

  /// The position that all writers have reached. The own one counts only while something is in flight: any later id of
  /// this process will be larger than what the others have reached.
  private var smallestWriter: Int64 {
    let own = writers[instanceName] ?? 0
    let others = writers.lazy.filter { [instanceName] in $0.key != instanceName }.map(\.value).min()
    guard let others else { return own }
    return own > 0 && isBusy ? min(others, own) : others
  }
}
