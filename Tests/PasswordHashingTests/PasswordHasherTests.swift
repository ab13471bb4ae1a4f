import MatrixPrimitives
import PasswordHashing
import Testing

@Suite struct PasswordHasherTests {
  /// Made by Python's bcrypt for the password "test" with the pepper "pepper".
  private static let foreign = "$2b$04$5ggeVj3CzrEHVWN7zIonOeNRtnt1Q5g402IB9hc3opZq9Y42/aOSK"

  @Test func ownHashesVerifyAndAreSalted() async throws {
    let hasher = PasswordHasher(pepper: "pepper", rounds: 4, threads: 2)
    let first = try await hasher.hash("s3cret")
    let second = try await hasher.hash("s3cret")
    #expect(first.hasPrefix("$2b$04$") && first.utf8.count == 60 && first != second)
    #expect(try await hasher.verify("s3cret", against: first))
    #expect(try await !hasher.verify("s3cret ", against: first))
    #expect(try await !PasswordHasher(pepper: "", rounds: 4).verify("s3cret", against: first))
  }

  @Test(arguments: ["$2a$", "$2b$", "$2y$"])
  func hashesMadeByPythonVerify(_ prefix: Text) async throws {
    let stored = prefix + Self.foreign.dropFirst(4)
    let hasher = PasswordHasher(pepper: "pepper", rounds: 12)
    #expect(try await hasher.verify("test", against: stored))
    #expect(try await !hasher.verify("tess", against: stored))
  }

  @Test func compatibleFormsAreTheSamePassword() async throws {
    let hasher = PasswordHasher(pepper: "", rounds: 4)
    let stored = try await hasher.hash("\u{FB01}\u{2460}")
    #expect(try await hasher.verify("fi1", against: stored))
  }

  @Test func onlySeventyTwoBytesCount() async throws {
    let hasher = PasswordHasher(pepper: "", rounds: 4)
    let long = Text(repeating: "a", count: 72)
    let stored = try await hasher.hash(long + "x")
    #expect(try await hasher.verify(long + "y", against: stored))
    #expect(try await !hasher.verify(long.dropLast(), against: stored))
  }

  @Test func charactersThatWouldCutThePasswordShortAreRefused() async throws {
    let hasher = PasswordHasher(pepper: "", rounds: 4)
    await #expect(throws: MatrixError.self) { try await hasher.hash("abc\0def") }
    let stored = try await hasher.hash("abc")
    #expect(try await !hasher.verify("abc\0def", against: stored))
  }

  @Test(arguments: [
    "", "*0", "$2b$", "plain", "$1$abc$def", "$2b$99$" + Text(repeating: "a", count: 53),
    "$2x$04$" + Text(repeating: "a", count: 53),
  ])
  func nothingVerifiesAgainstBrokenHashes(_ stored: Text) async throws {
    #expect(try await !PasswordHasher(pepper: "", rounds: 4).verify("", against: stored))
  }

  @Test func manyAtOnceAllFinish() async throws {
    let hasher = PasswordHasher(pepper: "", rounds: 4, threads: 2)
    let stored = try await hasher.hash("p")
    let results = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<100 {
        group.addTask { try await hasher.verify(index.isMultiple(of: 2) ? "p" : "q", against: stored) }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(results == 50)
  }
}
