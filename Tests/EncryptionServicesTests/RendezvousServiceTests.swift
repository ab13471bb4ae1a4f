import MatrixPrimitives
import Testing

@testable import EncryptionServices

@Suite struct RendezvousServiceTests {
  private let clock = ServerClock.test()

  private func text(_ text: Text) -> [UInt8] { Array(text.utf8) }

  @Test func onlyWhoeverKnowsTheTextReplacesIt() throws {
    let service = RendezvousService(.newer, clock: clock)
    let channel = service.open(text("one"))
    guard case .done(let second) = try service.replace(channel.id, with: text("two"), where: { $0 == channel.tag })
    else { throw MatrixError.unknown("refused") }
    #expect(second.text == text("two") && second.tag != channel.tag)
    guard case .conflict(let kept) = try service.replace(channel.id, with: text("three"), where: { $0 == channel.tag })
    else { throw MatrixError.unknown("not refused") }
    #expect(kept.text == text("two"))
    // Whoever has not got the answer asks once more.
    guard case .done(let again) = try service.replace(channel.id, with: text("two"), where: { $0 == channel.tag })
    else { throw MatrixError.unknown("refused") }
    #expect(again.tag == second.tag)
  }

  @Test func aChannelIsGoneWhenItsTimeIsUpHoweverOftenItIsUsed() throws {
    let service = RendezvousService(.older, clock: clock)
    let channel = service.open(text("one"))
    clock.advance(milliseconds: 59_999)
    _ = try service.replace(channel.id, with: text("two"), where: { $0 == channel.tag })
    #expect(service.millisecondsLeft(of: channel) == 1)
    clock.advance(milliseconds: 1)
    #expect(throws: MatrixError.notFound()) { try service.channel(channel.id) }
    #expect(throws: MatrixError.notFound()) { try service.replace(channel.id, with: [], where: { _ in true }) }
    #expect(throws: MatrixError.notFound()) { try service.close(channel.id) }
  }

  @Test func theOldestMakeRoom() throws {
    let service = RendezvousService(.newer, clock: clock)
    let first = (0..<200).map { _ in service.open([]) }
    #expect(first.allSatisfy { (try? service.channel($0.id)) != nil })  // nil: there is no such channel
    _ = service.open([])
    let left = first.filter { (try? service.channel($0.id)) != nil }
    #expect(left.map(\.id) == first.suffix(99).map(\.id))
  }

  @Test func aClosedChannelIsGone() throws {
    let service = RendezvousService(.older, clock: clock)
    let (one, two) = (service.open(text("1")), service.open(text("2")))
    try service.close(one.id)
    #expect(throws: MatrixError.notFound()) { try service.close(one.id) }
    #expect(try service.channel(two.id).text == text("2"))
  }
}
