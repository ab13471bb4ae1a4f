import MatrixPrimitives
import Synchronization

/// Puts what is to be written into one line a room, and hands it out in groups of several rooms, so that many events cost one
/// transaction. Few groups are worked on at a time: what comes meanwhile gathers for the next one.
///
/// Of one room no two jobs are ever worked on at the same time, and they keep their order.
final class PersistLanes<Job: Sendable>: Sendable {
  /// Holds jobs of one room that are done together.
  struct RoomJobs: Sendable {
    let room: RoomID
    let jobs: [Job]
  }

  /// Says which of a room's waiting jobs are done together.
  struct Choice {
    /// How many, at least one.
    var count: Int
    /// What they count towards the size of a group.
    var weight: Int
    /// Whether they may take long and so neither join others in a group nor hold up a lane.
    var isSolitary = false
  }

  private struct Work {
    var rooms: [RoomJobs] = []
    var usesLane = true
  }

  private struct State {
    var waiting: [RoomID: [Job]] = [:]
    /// Lists the rooms that have jobs and are not being worked on, the one that waits longest first.
    var ready: [RoomID] = []
    var busy: Set<RoomID> = []
    var freeLanes: Int
  }

  private let state: Mutex<State>
  private let largestGroup: Int
  private let choose: @Sendable ([Job]) -> Choice
  private let work: @Sendable ([RoomJobs]) async -> Void

  /// Makes the lanes.
  ///
  /// - Parameters:
  ///   - lanes: how many groups are worked on at a time, from 1.
  ///   - largestGroup: the greatest weight of a group of more than one room.
  ///   - choose: says which of a room's waiting jobs, of which there is at least one, are done together.
  ///   - work: does the jobs of some rooms; must not fail.
  init(
    lanes: Int, largestGroup: Int, choose: @escaping @Sendable ([Job]) -> Choice,
    work: @escaping @Sendable ([RoomJobs]) async -> Void
  ) {
    state = Mutex(State(freeLanes: max(lanes, 1)))
    self.largestGroup = largestGroup
    self.choose = choose
    self.work = work
  }

  /// Adds a job at the end of a room's line.
  func add(_ job: Job, room: RoomID) {
    let works = state.withLock { state in
      state.waiting[room, default: []].append(job)
      if state.waiting[room]?.count == 1, !state.busy.contains(room) { state.ready.append(room) }
      return takeWorks(&state)
    }
    start(works)
  }

  private func start(_ works: [Work]) {
    for item in works {
      Task {
        await work(item.rooms)
        finish(item)
      }
    }
  }

  private func finish(_ item: Work) {
    let works = state.withLock { state in
      for entry in item.rooms {
        state.busy.remove(entry.room)
        if state.waiting[entry.room] != nil { state.ready.append(entry.room) }
      }
      if item.usesLane { state.freeLanes += 1 }
      return takeWorks(&state)
    }
    start(works)
  }

  /// Takes what can be begun now: solitary jobs at once, the others as far as there are lanes.
  private func takeWorks(_ state: inout State) -> [Work] {
    var works: [Work] = []
    var group = Work()
    var weight = 0
    var left: [RoomID] = []
    for room in state.ready {
      guard let jobs = state.waiting[room] else { continue }
      let choice = choose(jobs)
      let fits = group.rooms.isEmpty || weight + choice.weight <= largestGroup
      guard choice.isSolitary || (state.freeLanes > 0 && fits) else {
        left.append(room)
        continue
      }
      let taken = take(choice.count, of: jobs, room: room, &state)
      if choice.isSolitary {
        works.append(Work(rooms: [taken], usesLane: false))
      } else {
        group.rooms.append(taken)
        weight += choice.weight
      }
    }
    state.ready = left
    guard !group.rooms.isEmpty else { return works }
    state.freeLanes -= 1
    works.append(group)
    // What did not fit into this group may make up one of its own.
    return left.isEmpty || state.freeLanes == 0 ? works : works + takeWorks(&state)
  }

  private func take(_ count: Int, of jobs: [Job], room: RoomID, _ state: inout State) -> RoomJobs {
    let count = min(max(count, 1), jobs.count)
    state.waiting[room] = count == jobs.count ? nil : Array(jobs.dropFirst(count))
    state.busy.insert(room)
    return RoomJobs(room: room, jobs: Array(jobs.prefix(count)))
  }
}
