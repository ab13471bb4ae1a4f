import MatrixEvents
import MatrixPrimitives
import Testing

/// The rules of each room version's page, by their numbers.
@Suite struct AuthRuleTableTests {
  @Test(arguments: AuthRuleCase.all)
  func decidesAsTheRuleSays(_ rule: AuthRuleCase) throws {
    for (number, name) in rule.numbers.sorted(by: { $0.key < $1.key }) {
      let version = try #require(RoomVersion.named("\(number)"))
      var room = try TestRoom(version)
      let refusal = try rule.refusal(&room)
      #expect((refusal == nil) == rule.isAllowed, "version \(number), rule \(name): \(refusal ?? "allowed")")
    }
  }

  @Test func hasACaseForEveryVersion() {
    let cases = AuthRuleCase.all
    for number in 1...12 { #expect(cases.count { $0.numbers[number] != nil } > 70, "version \(number)") }
  }
}
