import MatrixPrimitives
import Synchronization

/// The lines of what is to be written, one for each room, handed out in groups of several rooms, so that many events
/// cost one transaction. Few groups are worked on at a time: what comes meanwhile gathers for the next one, which is
/// begun beside others when it has grown as large as they are. So a busy server does not waste transactions on single
/// events.
///
/// Of one room no two jobs are ever worked on at the same time, and they keep their order. Work that has only to wait for the
/// disk any more may release its rooms and its lane; it still counts among the groups under way, of which there are at most
/// twice as many as lanes.
final class PersistLanes<Job: Sendable>: Sendable {
  /// Jobs of one room that are done together.
  struct RoomJobs: Sendable {
    let room: RoomID
    let jobs: [Job]
  }

  /// The waiting jobs of a room that are done together.
  struct Choice {
    /// The number of them, at least one.
    var count: Int
    /// What they count towards the size of a group.
    var weight: Int
    /// Whether they may take long and so neither join others in a group nor hold up a lane.
    var isSolitary = false
  }

  /// What is done at a time.
  private struct Work {
    var rooms: [RoomJobs] = []
    var weight = 0
    var usesLane = true
  }

  private struct State {
    var waiting: [RoomID: [Job]] = [:]
    /// The rooms that have jobs and are not being worked on, the one that waits longest first.
    var ready: [RoomID] = []
    var busy: Set<RoomID> = []
    var freeLanes: Int
    /// The number of groups that may be begun before one has to end.
    var freeGroups: Int
    /// The weight of the groups that are being worked on.
    var weight = 0
  }

  private let state: Mutex<State>
  private let largestGroup: Int
  private let choose: @Sendable ([Job]) -> Choice
  private let work: @Sendable ([RoomJobs], _ release: @escaping @Sendable () -> Void) async -> Void

  /// Makes the lanes.
  ///
  /// - Parameters:
  ///   - lanes: how many groups are worked on at a time, from 1.
  ///   - largestGroup: the greatest weight of a group of more than one room.
  ///   - choose: says which of a room's waiting jobs, of which there is at least one, are done together.
  ///   - work: does the jobs of some rooms; must not fail. It may call `release` when the next jobs of the same rooms can begin.
  init(
    lanes: Int, largestGroup: Int, choose: @escaping @Sendable ([Job]) -> Choice,
    work: @escaping @Sendable ([RoomJobs], _ release: @escaping @Sendable () -> Void) async -> Void
  ) {
    state = Mutex(State(freeLanes: max(lanes, 1), freeGroups: max(lanes, 1) * 2))
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
        let release = Once<Void> { [self] in self.release(item) }
        await work(item.rooms) { release(()) }
        release(())
        end(item)
      }
    }
  }

  /// Lets other work begin, on the same rooms as well.
  private func release(_ item: Work) {
    let works = state.withLock { state in
      for entry in item.rooms {
        state.busy.remove(entry.room)
        if state.waiting[entry.room] != nil { state.ready.append(entry.room) }
      }
      if item.usesLane {
        state.freeLanes += 1
        state.weight -= item.weight
      }
      return takeWorks(&state)
    }
    start(works)
  }

  private func end(_ item: Work) {
    guard item.usesLane else { return }
    let works = state.withLock { state in
      state.freeGroups += 1
      return takeWorks(&state)
    }
    start(works)
  }

  /// Takes what can be begun now: solitary jobs at once, the others as far as there are lanes.
  private func takeWorks(_ state: inout State) -> [Work] {
    var works: [Work] = []
    var choices: [(room: RoomID, choice: Choice)] = []
    for room in state.ready {
      guard let jobs = state.waiting[room] else { continue }
      let choice = choose(jobs)
      if choice.isSolitary {
        works.append(Work(rooms: [take(choice.count, of: jobs, room: room, &state)], usesLane: false))
      } else {
        choices.append((room, choice))
      }
    }
    while let group = takeGroup(&choices, &state) { works.append(group) }
    state.ready = choices.map(\.room)
    return works
  }

  /// Takes the next group from the rooms that wait; nil while it is not its turn.
  private func takeGroup(_ choices: inout [(room: RoomID, choice: Choice)], _ state: inout State) -> Work? {
    var group = Work()
    var count = 0
    for (_, choice) in choices {
      guard count == 0 || group.weight + choice.weight <= largestGroup else { break }
      group.weight += choice.weight
      count += 1
    }
    // A full group need not grow, whatever is under way.
    let isLargeEnough = group.weight >= state.weight || count < choices.count
    guard count > 0, state.freeLanes > 0, state.freeGroups > 0, isLargeEnough else { return nil }
    for (room, choice) in choices.prefix(count) {
      group.rooms.append(take(choice.count, of: state.waiting[room] ?? [], room: room, &state))
    }
    choices.removeFirst(count)
    state.freeLanes -= 1
    state.freeGroups -= 1
    state.weight += group.weight
    return group
  }

  private func take(_ count: Int, of jobs: [Job], room: RoomID, _ state: inout State) -> RoomJobs {
    let count = min(max(count, 1), jobs.count)
    state.waiting[room] = count == jobs.count ? nil : Array(jobs.dropFirst(count))
    state.busy.insert(room)
    return RoomJobs(room: room, jobs: Array(jobs.prefix(count)))
  }
}
