import MatrixPrimitives

/// The rules on a new `m.room.power_levels` event.
struct PowerLevelChange<State: AuthState> {
  let event: Event
  let create: Event
  let state: State
  let levels: PowerLevels

  private static var names: [Text] {
    ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]
  }

  func check() throws(AuthError) {
    try checkShape()
    guard let current = event.key.flatMap({ state.event($0) }) else { return }
    let own = levels.level(of: event.sender)
    for name in Self.names {
      try checkAlteration(of: name, from: current.content[name], to: event.content[name], own: own)
    }
    try checkMap("events", current, own: own)
    if event.version.limitsNotificationLevels { try checkMap("notifications", current, own: own) }
    try checkUsers(current, own: own)
  }

  private func checkShape() throws(AuthError) {
    let content = event.content
    let version = event.version
    if version.requiresIntegerPowerLevels {
      for name in Self.names {
        if let value = content[name], value.integer == nil { throw AuthError("'\(name)' must be an integer.") }
      }
      for name in ["events", "notifications"] {
        guard let value = content[name] else { continue }
        guard let members = value.members, members.allSatisfy({ $0.value.integer != nil }) else {
          throw AuthError("'\(name)' must be an object whose values are integers.")
        }
      }
    }
    guard let users = content["users"] else { return }
    guard let members = users.members else { throw AuthError("'users' must be an object.") }
    for (key, value) in members {
      guard let user = UserID(key) else { throw AuthError("'users' must have user ids as keys; '\(key)' is none.") }
      guard integer(value) != nil else { throw AuthError("The power level of \(user) must be an integer.") }
      if levels.isPrivilegedCreator(user) {
        throw AuthError("\(user) created the room; 'users' must not name creators.")
      }
    }
  }

  private func integer(_ value: JSONValue?) -> Int64? {
    value.flatMap { PowerLevels.integer($0, loosely: !event.version.requiresIntegerPowerLevels) }
  }

  private func checkAlteration(
    of name: Text, from old: JSONValue?, to new: JSONValue?, own: Int64
  ) throws(AuthError) {
    let before = integer(old)
    let after = integer(new)
    // Where levels need not be integers, what cannot be read as one stops every change.
    guard (before == nil) == (old == nil), (after == nil) == (new == nil) else {
      throw AuthError("'\(name)' must be an integer.")
    }
    if before == after { return }
    if let before, before > own {
      throw AuthError("You don't have permission to change '\(name)', which is set higher than your power level.")
    }
    if let after, after > own {
      throw AuthError("You don't have permission to set '\(name)' higher than your power level.")
    }
  }

  /// Returns the old and new value under each key of a map, in one pass over both; of a repeated key the last value
  /// counts.
  private func values(_ name: Text, _ current: Event) -> [Text: (old: JSONValue?, new: JSONValue?)] {
    var values: [Text: (old: JSONValue?, new: JSONValue?)] = [:]
    if let members = current.content[name]?.members {
      for (key, value) in members { values[key, default: (nil, nil)].old = value }
    }
    if let members = event.content[name]?.members {
      for (key, value) in members { values[key, default: (nil, nil)].new = value }
    }
    return values
  }

  private func checkMap(_ name: Text, _ current: Event, own: Int64) throws(AuthError) {
    for (key, (old, new)) in values(name, current) { try checkAlteration(of: key, from: old, to: new, own: own) }
  }

  private func checkUsers(_ current: Event, own: Int64) throws(AuthError) {
    for (key, (old, new)) in values("users", current) {
      let before = integer(old)
      if before != integer(new), let before, before == own, key != event.sender.rawValue {
        throw AuthError("You don't have permission to change the power level of \(key), which equals yours.")
      }
      try checkAlteration(of: key, from: old, to: new, own: own)
    }
  }
}
