import EventPersistence
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores

/// The search in messages, names and topics of the rooms that a user is in.
public final class SearchService: Sendable {
  private let stores: RoomStores
  private let state: StateService
  private let history: HistoryService
  private let visibility: VisibilityFilter
  private let config: HomeserverConfig

  /// The greatest number of results on one page.
  static let greatestPage = 500
  /// The number of rounds in which results are looked for among those that the user may not see (Synapse's).
  private static let rounds = 5
  /// The greatest number of earlier rooms that are followed from an upgraded one.
  private static let mostPredecessors = 50

  init(
    stores: RoomStores, state: StateService, history: HistoryService, visibility: VisibilityFilter,
    config: HomeserverConfig
  ) {
    self.stores = stores
    self.state = state
    self.history = history
    self.visibility = visibility
    self.config = config
  }

  /// Requires searching to be switched on (`enable_search`).
  ///
  /// - Throws: `MatrixError` 400 when it is not.
  public func requireEnabled() throws(MatrixError) {
    guard config.rooms.allowsSearch else { throw .unknown("Search is disabled on this homeserver", status: 400) }
  }

  /// Searches.
  ///
  /// - Throws: `MatrixError` 400 for a token of no search.
  public func search(_ request: SearchRequest, requester: Requester) async throws -> SearchAnswer {
    try await stores.barrier.pass(membershipsOf: requester.userID)
    let rooms = try await rooms(request, requester.userID)
    guard !rooms.isEmpty, !request.keys.isEmpty else { return SearchAnswer() }
    let query = SearchStore.Query(rooms: rooms, term: request.term, keys: request.keys)
    var answer = SearchAnswer()
    let found: [Found]
    switch request.order {
    case .rank: (found, answer.count) = try await best(query, request, requester)
    case .recent: (found, answer.count) = try await newest(query, request, requester)
    }
    answer.results = try await results(found, request, requester)
    answer.highlights = try await highlights(found, request.term)
    if request.includesState { answer.state = try await states(found, requester) }
    group(found, request, &answer)
    return answer
  }

  // MARK: Where

  /// Lists the rooms to look into: those that the user is in, of which the filter, the token and the rooms' upgrades leave some.
  private func rooms(_ request: SearchRequest, _ user: UserID) async throws -> [RoomID] {
    let joined = try await stores.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    var wanted = request.filter.rooms
    if let rooms = wanted { wanted?.formUnion(try await predecessors(of: rooms, among: Set(joined))) }
    return joined.filter { room in
      guard wanted?.contains(room.rawValue) ?? true, !request.filter.notRooms.contains(room.rawValue) else {
        return false
      }
      return request.batch.map { $0.group != "room_id" || $0.key == room.rawValue } ?? true
    }
  }

  /// Finds the rooms that were replaced by those given, as far as the user is in them.
  private func predecessors(of rooms: Set<Text>, among joined: Set<RoomID>) async throws -> Set<Text> {
    var found: Set<Text> = []
    var next = rooms.compactMap { RoomID($0) }.filter(joined.contains)
    let key = StateKey(EventType.create)
    for _ in 0..<Self.mostPredecessors where !next.isEmpty {
      let creations = try await stores.state.currentState(rooms: next, filter: .keys([key])).compactMap {
        $0.value[key]
      }
      let events = try await stores.events.events(creations)
      let earlier = events.values.compactMap { $0.content["predecessor"]?["room_id"]?.string }
      next = earlier.filter { found.insert($0).inserted }.compactMap { RoomID($0) }
    }
    return found
  }

  // MARK: What

  /// An event that was found and may be shown.
  private struct Found {
    let visible: VisibilityFilter.VisibleEvent
    let match: SearchStore.Match
    var event: StoredEvent { visible.event }
  }

  private func best(
    _ query: SearchStore.Query, _ request: SearchRequest, _ requester: Requester
  ) async throws -> ([Found], Int64) {
    let (matches, count) = try await stores.search.best(query)
    let limit = min(request.filter.limit, Self.greatestPage)
    var found: [Found] = []
    // Most of what is found may be shown, so not all of it is read.
    let size = max(limit * 2, 10)
    for start in stride(from: 0, to: matches.count, by: size) where found.count < limit {
      found += try await shown(Array(matches[start..<min(start + size, matches.count)]), request, requester)
    }
    return (Array(found.prefix(limit)), count)
  }

  private func newest(
    _ query: SearchStore.Query, _ request: SearchRequest, _ requester: Requester
  ) async throws -> ([Found], Int64) {
    async let count = stores.search.count(query)
    let limit = min(request.filter.limit, Self.greatestPage)
    var place = try request.place
    var found: [Found] = []
    for _ in 0..<Self.rounds where found.count < limit {
      let matches = try await stores.search.newest(query, before: place, limit: limit * 2)
      found += try await shown(matches, request, requester)
      guard matches.count == limit * 2, let last = matches.last else { break }
      place = last.place
    }
    return (Array(found.prefix(limit)), try await count)
  }

  /// Leaves what passes the filter and the user may see; what was redacted is not found any more.
  private func shown(
    _ matches: [SearchStore.Match], _ request: SearchRequest, _ requester: Requester
  ) async throws -> [Found] {
    var filter = request.filter
    // The rooms have been chosen already.
    (filter.rooms, filter.notRooms) = (nil, [])
    var events = try await stores.events.orderedEvents(matches.map(\.eventID)).filter { event in
      event.redactedBecause == nil
        && filter.passes(
          type: event.type, sender: event.sender.rawValue, room: event.roomID.rawValue, content: event.content)
    }
    if filter.asksForRelations {
      let related = try await stores.timeline.passing(filter, among: events.map(\.eventID))
      events = events.filter { related.contains($0.eventID) }
    }
    let known = Dictionary(matches.map { ($0.eventID, $0) }) { first, _ in first }
    return try await visibility.visible(events, to: requester.userID).compactMap { visible in
      known[visible.event.eventID].map { Found(visible: visible, match: $0) }
    }
  }

  private func highlights(_ found: [Found], _ term: Text) async throws -> [Text] {
    let texts = found.compactMap { entry -> Text? in
      let values = ["body", "name", "topic"].compactMap { entry.event.content[$0]?.string }.filter { !$0.isEmpty }
      return values.isEmpty ? nil : values.joined(separator: " ")
    }
    guard !texts.isEmpty else { return [] }
    return try await stores.search.highlights(of: term, in: texts).sorted()
  }

  // MARK: Form

  private func results(
    _ found: [Found], _ request: SearchRequest, _ requester: Requester
  ) async throws -> [SearchAnswer.Result] {
    let events = try await history.clientEvents(found.map(\.visible), requester)
    var results = zip(found, events).map { SearchAnswer.Result(rank: $0.match.rank, event: $1) }
    guard let wanted = request.context else { return results }
    let contexts = try await contexts(found.map(\.event), wanted, requester)
    for index in results.indices { results[index].context = contexts[results[index].event.stored.eventID] }
    return results
  }

  private func contexts(
    _ events: [StoredEvent], _ wanted: SearchRequest.Context, _ requester: Requester
  ) async throws -> [EventID: SearchAnswer.Context] {
    let most = SearchRequest.mostNeighboursOfPage / max(events.count, 1)
    let around = try await stores.timeline.surroundings(
      of: events, before: min(wanted.before, most), after: min(wanted.after, most))
    var neighbours: [EventID: StoredEvent] = [:]
    for context in around.values {
      for event in context.before + context.after { neighbours[event.eventID] = event }
    }
    let visible = try await visibility.visible(Array(neighbours.values), to: requester.userID)
    let shown = try await history.clientEvents(visible, requester)
    let byID = Dictionary(shown.map { ($0.stored.eventID, $0) }) { first, _ in first }
    var result: [EventID: SearchAnswer.Context] = [:]
    for event in events {
      guard let context = around[event.eventID] else { continue }
      let before = context.before.reversed().compactMap { byID[$0.eventID] }
      let after = context.after.compactMap { byID[$0.eventID] }
      result[event.eventID] = SearchAnswer.Context(
        before: before, after: after, start: try await history.text(StreamToken().replacingRoom(context.start)),
        end: try await history.text(StreamToken().replacingRoom(context.end)),
        profiles: wanted.includesProfiles
          ? try await profiles(
            Set((before + after).map(\.stored.sender) + [event.sender]), after.last?.stored.eventID ?? event.eventID)
          : nil)
    }
    return result
  }

  /// Reads what users were called at an event.
  private func profiles(_ users: Set<UserID>, _ event: EventID) async throws -> [UserID: LocalUsers.Profile] {
    let keys = users.map { StateKey(EventType.member, $0.rawValue) }
    let map = try await state.stateAfter(eventID: event, filter: .keys(keys))
    let events = try await stores.events.events(Array(map.values))
    var profiles: [UserID: LocalUsers.Profile] = [:]
    for (key, id) in map {
      guard let content = events[id]?.content else { continue }
      profiles[UserID(unchecked: key.stateKey)] = LocalUsers.Profile(
        displayName: content["displayname"]?.string, avatarURL: content["avatar_url"]?.string)
    }
    return profiles
  }

  private func states(_ found: [Found], _ requester: Requester) async throws -> [RoomID: [ClientEvent]] {
    var states: [RoomID: [ClientEvent]] = [:]
    for room in Set(found.map(\.event.roomID)) {
      states[room] = try await stores.state.currentEvents(room, stores.events).entries.map { ClientEvent($0.event) }
    }
    return states
  }

  private func group(_ found: [Found], _ request: SearchRequest, _ answer: inout SearchAnswer) {
    let limit = min(request.filter.limit, Self.greatestPage)
    let isRecent = request.order == .recent
    let place = isRecent && found.count >= limit ? found.last?.match.place : nil
    if let place {
      let batch = request.batch.flatMap { $0.key.isEmpty || $0.group.isEmpty ? nil : $0 }
      answer.next = SearchRequest.token(batch?.group ?? "all", batch?.key ?? "", place)
    }
    if request.groups.contains("room_id") {
      answer.rooms = groups(found, isRecent) {
        $0.event.roomID.rawValue
      } next: { key in
        place.map { SearchRequest.token("room_id", key, $0) }
      }
    }
    if request.groups.contains("sender"), !isRecent {
      answer.senders = groups(found, isRecent) {
        $0.event.sender.rawValue
      } next: { _ in
        nil
      }
    }
  }

  private func groups(
    _ found: [Found], _ isRecent: Bool, by key: (Found) -> Text, next: (Text) -> Text?
  ) -> [SearchAnswer.Group]? {
    var groups: [SearchAnswer.Group] = []
    var places: [Text: Int] = [:]
    for entry in found {
      let name = key(entry)
      if let place = places[name] {
        groups[place].results.append(entry.event.eventID)
      } else {
        places[name] = groups.count
        groups.append(
          SearchAnswer.Group(
            key: name, order: isRecent ? nil : entry.match.rank, next: next(name), results: [entry.event.eventID]))
      }
    }
    return groups.isEmpty ? nil : groups
  }
}
