import MatrixEvents
import MatrixPrimitives

extension AuthRuleCase {
  static let powerLevels: [AuthRuleCase] = [
    AuthRuleCase(integers(1), "a level is a string", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["ban": "50"])
    },
    AuthRuleCase(integers(2), "a level of events is a string", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["events": ["x": "50"]])
    },
    AuthRuleCase(levels(1), "users are no users", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": ["nobody": 1]])
    },
    AuthRuleCase(levels(2), "the first levels may be any", true) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["ban": 1000, "users": users(room, [bob: 1000])])
    },
    AuthRuleCase(only(12...12, "10.4"), "the creator is named", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": [alice.rawValue: 100]])
    },
    AuthRuleCase(levels(3), "a level above the own is set", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50]), "ban": 51])
    },
    AuthRuleCase(levels(4), "an event's level above the own is removed", false) { room in
      try fill(&room, [bob: 50], ["events": ["x": 51]])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(5), "an event's level above the own is added", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["events": ["x": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(only(1...5, "10.5"), "levels of notifications are nobody's concern", true) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(
        EventType.powerLevels, "", bob, ["notifications": ["room": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(5).filter { $0.key >= 6 }, "a notification's level above the own is added", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(
        EventType.powerLevels, "", bob, ["notifications": ["room": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(6), "an equal is demoted", false) { room in
      try fill(&room)
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(8), "one demotes himself", true) { room in
      try fill(&room)
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 0, carol: 50])])
    },
    AuthRuleCase(levels(7), "somebody is raised above the own level", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50, carol: 51])])
    },
  ]

  /// The rule on `users` in the versions whose levels may be strings, which in the first five may also be fractions.
  private static let strings = levels(1).filter { $0.key <= 9 }
  private static let fractions = levels(1).filter { $0.key <= 5 }
  private static let noStrings = levels(1).filter { $0.key >= 10 }

  /// Levels as old versions read them: an integer within spaces, with or without sign and leading zeroes.
  private static let texts: [AuthRuleCase] = ["50", "00050", "+50", "-50", " 50 ", "\t-0050\n"].map { text in
    AuthRuleCase(strings, "a user's level is the text '\(text)'", true) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: .string(text)]])
    }
  }

  private static let wrongTexts: [AuthRuleCase] = ["", "abc", "5 0", "50.0", "1e2", "--5", "0x10"].map { text in
    AuthRuleCase(strings, "a user's level is the text '\(text)', which is no integer", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: .string(text)]])
    }
  }

  static let textualPowerLevels: [AuthRuleCase] =
    texts + wrongTexts + [
      AuthRuleCase(noStrings, "a user's level is a text", false) { room in
        try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: "50"]])
      },
      AuthRuleCase(strings, "a user's level is null", false) { room in
        try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: nil]])
      },
      AuthRuleCase(fractions, "a user's level is a fraction", true) { room in
        try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: 50.57]])
      },
      AuthRuleCase(only(1...5, "8"), "a fraction is cut off", true) { room in
        try setTexts(&room, bob: 50.57, ["state_default": 50.9])
        return try room.refusal(EventType.topic, "", bob, [:])
      },
      AuthRuleCase(only(1...5, "8"), "a fraction is not rounded up", false) { room in
        try setTexts(&room, bob: 49.99, ["state_default": 50])
        return try room.refusal(EventType.topic, "", bob, [:])
      },
      AuthRuleCase(top(8).filter { $0.key <= 9 }, "texts are levels like numbers", true) { room in
        try setTexts(&room, bob: " +060 ", ["events": [EventType.topic: "0060"], "state_default": "100"])
        return try room.refusal(EventType.topic, "", bob, [:])
      },
      AuthRuleCase(top(8).filter { $0.key <= 9 }, "a level given as text is not reached", false) { room in
        try setTexts(&room, bob: "59", ["events": [EventType.topic: "60"]])
        return try room.refusal(EventType.topic, "", bob, [:])
      },
      AuthRuleCase(levels(3).filter { $0.key <= 9 }, "a level above the own is set as text", false) { room in
        try fill(&room, [bob: 50])
        return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50]), "ban": "51"])
      },
      AuthRuleCase(levels(8).filter { $0.key <= 9 }, "a level above the own is written as text instead", true) { room in
        try fill(&room, [bob: 50], ["ban": 60])
        return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50]), "ban": " 060"])
      },
    ]

  private static func setTexts(_ room: inout TestRoom, bob level: JSON, _ more: [Text: JSON]) throws {
    for user in [bob, carol] { try room.setMembership(user, "join") }
    var content = more
    content["users"] = [alice.rawValue: 100, bob.rawValue: level]
    try room.add(EventType.powerLevels, "", alice, .object(content))
  }

  static let creatorPower: [AuthRuleCase] = [
    AuthRuleCase(only(12...12, "8"), "no level binds the creator", true) { room in
      try fill(&room, [:], ["state_default": .integer(CanonicalJSON.maximumInteger)])
      return try room.refusal(EventType.topic, "", alice, [:])
    },
    AuthRuleCase(only(12...12, "8"), "no level binds an additional creator", true) { room in
      try addCreator(&room)
      try fill(&room, [:], ["state_default": .integer(CanonicalJSON.maximumInteger)])
      return try room.refusal(EventType.topic, "", bob, [:])
    },
    AuthRuleCase(only(12...12, "8"), "others stay below", false) { room in
      try addCreator(&room)
      try fill(&room, [carol: 100], ["state_default": 101])
      return try room.refusal(EventType.topic, "", carol, [:])
    },
    AuthRuleCase(only(11...11, "7"), "additional creators are nobody before version 12", false) { room in
      try addCreator(&room)
      try fill(&room, [:])
      return try room.refusal(EventType.topic, "", bob, [:])
    },
    AuthRuleCase(only(12...12, "10.4"), "an additional creator is named", false) { room in
      try addCreator(&room)
      return try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: 100]])
    },
    AuthRuleCase(only(12...12, "10.4"), "the creator is named with another creator's consent", false) { room in
      try addCreator(&room)
      return try room.refusal(EventType.powerLevels, "", bob, ["users": [alice.rawValue: 0]])
    },
    AuthRuleCase(only(12...12, "10.11"), "a creator demotes one with the highest level", true) { room in
      try fill(&room, [bob: CanonicalJSON.maximumInteger])
      return try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: 0]])
    },
    AuthRuleCase(leave(4).filter { $0.key == 12 }, "a creator kicks one with the highest level", true) { room in
      try fill(&room, [bob: CanonicalJSON.maximumInteger])
      return try room.refusal(of: bob, "leave", by: alice)
    },
    AuthRuleCase(leave(5).filter { $0.key == 12 }, "a creator kicks another creator", false) { room in
      try addCreator(&room)
      return try room.refusal(of: bob, "leave", by: alice)
    },
    AuthRuleCase(ban(3).filter { $0.key == 12 }, "one with the highest level bans a creator", false) { room in
      try fill(&room, [bob: CanonicalJSON.maximumInteger])
      return try room.refusal(of: alice, "ban", by: bob)
    },
  ]

  private static func addCreator(_ room: inout TestRoom) throws {
    room = try TestRoom(room.version, content: ["additional_creators": [.string(bob.rawValue)]])
    try room.setMembership(bob, "join")
  }
}
