import Collections

/// The arithmetic of a stream with several writers: which ids are in flight here, how far each writer has come, and up
/// to where every row of every writer is visible. A value without I/O; ids are counted upwards, also for streams whose
/// ids are negative in the database.
///
/// Source: the rules for writers and readers of Synapse's stream ids, observed on its wire and in its tables.
struct StreamPositions {
  /// The name of this process.
  let instanceName: String
  /// How far each writer has come: heard from it or, for this process, finished without a gap.
  private(set) var heard: [String: Int64] = [:]
  /// Every row up to here, by whomever, is committed and may be read.
  private(set) var persistedUpTo: Int64
  /// The largest id that this process has ever been given or heard of.
  private var highest: Int64
  /// Own ids that are given out and not finished, in order.
  private var inFlight = Deque<Int64>()
  /// Own ids that are finished while a smaller one is not.
  private var finished: [Int64] = []
  /// For each request for ids that is under way, what `highest` was when it began; ids above may come back.
  private var fetches: [Int: Int64] = [:]
  private var nextFetch = 0
  /// Ids known to be committed above `persistedUpTo`.
  private var known = Heap<Int64>()

  init(instanceName: String, persistedUpTo: Int64) {
    self.instanceName = instanceName
    self.persistedUpTo = persistedUpTo
    highest = persistedUpTo
  }

  /// Whether this process has ids in flight, or may have any moment.
  var hasInFlight: Bool { !inFlight.isEmpty || !fetches.isEmpty }

  /// The own position, without what is known of others.
  var own: Int64 { heard[instanceName] ?? 0 }

  /// How far a writer's rows are visible.
  func position(of instance: String) -> Int64 { max(heard[instance] ?? 0, persistedUpTo) }

  /// All writers with their positions.
  var all: [String: Int64] { heard.mapValues { max($0, persistedUpTo) } }

  /// Sets a writer's position at start.
  mutating func begin(_ instance: String, at position: Int64) {
    heard[instance] = max(position, heard[instance] ?? .min)
    highest = max(highest, position)
  }

  /// Notes an id that is committed, found in a table at start.
  mutating func sawRow(_ id: Int64, of instance: String?) {
    if let instance, let position = heard[instance], position < id { heard[instance] = id }
    highest = max(highest, id)
    persisted(id)
  }

  /// Begins a request for ids; nothing that it may bring back counts as finished until it ends.
  mutating func beginFetch() -> Int {
    nextFetch += 1
    fetches[nextFetch] = highest
    return nextFetch
  }

  /// Ends a request with the ids that came back, which are in flight from now on.
  mutating func endFetch(_ fetch: Int, ids: [Int64]) {
    fetches[fetch] = nil
    for id in ids {
      highest = max(highest, id)
      var index = inFlight.endIndex
      while index > inFlight.startIndex, inFlight[index - 1] > id { index -= 1 }
      inFlight.insert(id, at: index)
    }
    if ids.isEmpty { advanceOwn() }
  }

  /// Ends ids: their transaction was committed, or will never be.
  mutating func finish(_ ids: [Int64]) {
    for id in ids {
      guard let index = inFlight.firstIndex(of: id) else { continue }
      inFlight.remove(at: index)
      finished.append(id)
    }
    for id in ids { persisted(id) }
    advanceOwn()
  }

  /// Notes how far another writer has come.
  mutating func advance(_ instance: String, to position: Int64) {
    guard instance != instanceName, position > heard[instance] ?? .min else { return }
    heard[instance] = position
    highest = max(highest, position)
    persisted(position)
  }

  /// Moves the own position to the largest finished id below everything in flight.
  private mutating func advanceOwn() {
    let bound = min(inFlight.first.map { $0 - 1 } ?? .max, fetches.values.min() ?? .max)
    var best = own
    finished.removeAll { id in
      guard id <= bound else { return false }
      best = max(best, id)
      return true
    }
    if heard[instanceName] != nil || best > 0 { heard[instanceName] = best }
    advancePersisted()
  }

  private mutating func persisted(_ id: Int64) {
    if id > persistedUpTo { known.insert(id) }
    advancePersisted()
  }

  /// Moves the common position to the least of the other writers', the own included only while ids are in flight here
  /// (a writer that writes nothing must not hold everybody back), then on over ids known without a gap.
  private mutating func advancePersisted() {
    let others = heard.filter { [instanceName] in $0.key != instanceName }.values
    var least = others.min() ?? own
    if hasInFlight { least = min(least, own) }
    persistedUpTo = max(persistedUpTo, least)
    while let next = known.min, next <= persistedUpTo + 1 {
      persistedUpTo = max(persistedUpTo, next)
      known.removeMin()
    }
  }
}
