import MatrixEvents
import MatrixPrimitives

/// One event that a rule of the specification's "Authorization rules" allows or rejects.
struct AuthRuleCase: Sendable, CustomStringConvertible {
  /// The rule's number on the page of each room version the case is for.
  let numbers: [Int: Text]
  let what: Text
  let isAllowed: Bool
  /// Prepares the room and gives the reason of a refusal.
  let refusal: @Sendable (inout TestRoom) throws -> Text?

  init(
    _ numbers: [Int: Text], _ what: Text, _ isAllowed: Bool,
    _ refusal: @escaping @Sendable (inout TestRoom) throws -> Text?
  ) {
    self.numbers = numbers
    self.what = what
    self.isAllowed = isAllowed
    self.refusal = refusal
  }

  var description: String { "\(numbers[11] ?? numbers[12] ?? numbers[1] ?? numbers[2] ?? ""): \(what)" }

  /// The cases in the order of the pages.
  static let all =
    creation + memberships + knocksAndRestrictedJoins + thirdPartyInvites + sending + powerLevels + textualPowerLevels
    + creatorPower

  // MARK: the numbers of a rule from page to page

  private static func numbers(_ parts: (ClosedRange<Int>, Text)...) -> [Int: Text] {
    var numbers: [Int: Text] = [:]
    for (versions, number) in parts { for version in versions { numbers[version] = number } }
    return numbers
  }

  /// Rules on top: from version 6 on one less as the rule on aliases is gone, from 12 on one more.
  static func top(_ number: Int, _ rest: Text = "") -> [Int: Text] {
    numbers((1...5, "\(number)\(rest)"), (6...11, "\(number - 1)\(rest)"), (12...12, "\(number)\(rest)"))
  }

  /// Rules on memberships: `kind` counts from the rule on joins, which is 5.2 in version 1.
  private static func membership(_ kind: Int, _ rest: Text) -> [Int: Text] {
    numbers(
      (1...5, "5.\(kind)\(rest)"), (6...7, "4.\(kind)\(rest)"), (8...11, "4.\(kind + 1)\(rest)"),
      (12...12, "5.\(kind + 1)\(rest)"))
  }

  static func join(_ rest: Int) -> [Int: Text] { membership(2, ".\(rest)") }
  static func invite(_ rest: Text) -> [Int: Text] { membership(3, ".\(rest)") }
  static func leave(_ rest: Int) -> [Int: Text] { membership(4, ".\(rest)") }
  static func ban(_ rest: Int) -> [Int: Text] { membership(5, ".\(rest)") }
  static func knock(_ rest: Int) -> [Int: Text] {
    numbers((7...7, "4.6.\(rest)"), (8...11, "4.7.\(rest)"), (12...12, "5.7.\(rest)"))
  }
  static let unknownMembership = numbers(
    (1...5, "5.6"), (6...6, "4.6"), (7...7, "4.7"), (8...11, "4.8"), (12...12, "5.8"))

  /// The rule `public` for joins, and what no rule allows, moved when restricted joins came.
  static let joinPublic = join(5).merging(numbers((8...11, "4.3.6"), (12...12, "5.3.6"))) { $1 }
  static let joinOtherwise = join(6).merging(numbers((8...11, "4.3.7"), (12...12, "5.3.7"))) { $1 }
  static func joinRestricted(_ rest: Int) -> [Int: Text] {
    numbers((8...11, "4.3.5.\(rest)"), (12...12, "5.3.5.\(rest)"))
  }

  /// Rules on power levels, by their number in version 1: version 10 put two before, version 12 one more.
  static func levels(_ number: Int) -> [Int: Text] {
    let inVersion12 = number == 1 ? 3 : number + 3
    return numbers(
      (1...5, "10.\(number)"), (6...9, "9.\(number)"), (10...11, "9.\(number + 2)"), (12...12, "10.\(inVersion12)"))
  }
  static func integers(_ number: Int) -> [Int: Text] { numbers((10...11, "9.\(number)"), (12...12, "10.\(number)")) }

  static func only(_ versions: ClosedRange<Int>, _ number: Text) -> [Int: Text] { numbers((versions, number)) }
}
