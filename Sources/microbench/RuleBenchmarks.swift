import MatrixEvents
import MatrixPrimitives

/// The measurement of what decides about events: auth rules, push rules, redaction's reach, server ACLs.
enum RuleBenchmarks {
  static var all: [Benchmark] {
    [
      auth("message") { room in
        try room.make(EventType.message, nil, SampleRoom.user(1), ["body": "hi"], over: room.state)
      },
      auth("join") { room in
        let user = SampleRoom.user(5000)
        return try room.make(EventType.member, user.rawValue, user, ["membership": "join"], over: room.state)
      },
      auth("ban") { room in
        let user = SampleRoom.user(1)
        return try room.make(
          EventType.member, user.rawValue, SampleRoom.user(0), ["membership": "ban"], over: room.state)
      },
      auth("power-levels") { room in
        let levels = try levels(room)
        return try room.make(EventType.powerLevels, "", room.creator, levels, over: room.state)
      },
      Benchmark("push/1000-users", unit: "users", items: 1000, countedCalls: 10, prepare: pushRules),
      Benchmark("acl/allows", unit: "servers", countedCalls: 1000) {
        let acl = ServerACL(
          content: try (["allow": ["*"], "deny": ["*.evil.example", "bad?.example", "10.*"]] as JSON).document())
        return .plain { keep(acl.allows("matrix.friendly.example:8448")) }
      },
    ]
  }

  private static func auth(_ name: Text, _ make: @escaping (inout SampleRoom) throws -> Event) -> Benchmark {
    Benchmark("auth/\(name)", unit: "events", countedCalls: 500) {
      var room = try SampleRoom(.v11, members: 1000)
      let event = try make(&room)
      let state = room.authState(AuthRules.stateKeysToCheck(event))
      return .plain { try AuthRules.check(event, state: state) }
    }
  }

  private static func levels(_ room: SampleRoom) throws -> JSON {
    guard var content = room.state[.powerLevels].flatMap({ room.events[$0]?.content.json }) else {
      throw FixtureError(description: "the room has no power levels")
    }
    content["users"]?[SampleRoom.user(1).rawValue] = 50
    return content
  }

  private static func pushRules() throws -> Benchmark.Body {
    var room = try SampleRoom(.v11, members: 10)
    let event = try room.make(
      EventType.message, nil, SampleRoom.user(1), ["body": "Hello User 7, look at this", "msgtype": "m.text"],
      over: room.state)
    let levels = PowerLevels(room.authState([.create, .powerLevels]))
    let users = (0..<1000).map { (id: SampleRoom.user($0), name: "User \($0)") }
    return .plain {
      let evaluator = PushRuleEvaluator(event: event, roomMemberCount: 1000, powerLevels: levels)
      var count = 0
      for user in users where evaluator.evaluate(.defaults, for: user.id, displayName: user.name)?.notifies == true {
        count += 1
      }
      keep(count)
    }
  }
}
