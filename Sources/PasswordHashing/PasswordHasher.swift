import CCrypt
import CUnistring
import Dispatch
import FoundationEssentials
import Glibc
import MatrixPrimitives
import Synchronization

/// Hashing of passwords and checks against stored hashes, with bcrypt as Synapse does.
///
/// The text is normalised to NFKC, the pepper is appended, and only the first 72 bytes count. A hash takes a few
/// hundred milliseconds of CPU on purpose, so it runs on a few threads of its own and never on a Swift task's or an
/// event loop's.
public final class PasswordHasher: Sendable {
  /// The limit on passwords that wait; beyond that callers get `M_LIMIT_EXCEEDED`.
  public static let maximumWaiting = 512

  private let pepper: Text
  private let rounds: Int
  // Serial queues, because blocking work on a concurrent queue takes threads away from Swift's tasks.
  private let queues: [DispatchQueue]
  private let loads: Mutex<[Int]>

  /// Makes a hasher with its own threads.
  ///
  /// - Parameters:
  ///   - pepper: `password_config.pepper`.
  ///   - rounds: `bcrypt_rounds`, the logarithm of bcrypt's cost, 4 to 31.
  ///   - threads: how many passwords are hashed at the same time, at least 1.
  public init(pepper: Text, rounds: Int, threads: Int = max(1, min(4, ProcessInfo.processInfo.activeProcessorCount))) {
    self.pepper = pepper
    self.rounds = rounds
    let count = max(1, threads)
    queues = (0..<count).map { DispatchQueue(label: "password-hasher-\($0)") }
    loads = Mutex(Array(repeating: 0, count: count))
  }

  /// Hashes a password with a new salt, as `$2b$…`.
  ///
  /// - Throws: `MatrixError`: `M_INVALID_PARAM` for a password that contains a NUL, `M_LIMIT_EXCEEDED` when too many
  ///   wait.
  public func hash(_ password: Text) async throws -> Text {
    let pepper = pepper, rounds = rounds
    return try await run { try Self.hash(password, pepper: pepper, rounds: rounds) }
  }

  /// Returns whether a password belongs to a stored hash (`$2a$`, `$2b$` or `$2y$`); false for any other kind of hash.
  ///
  /// - Throws: `MatrixError` `M_LIMIT_EXCEEDED` when too many wait.
  public func verify(_ password: Text, against stored: Text) async throws -> Bool {
    let pepper = pepper
    return try await run { Self.verify(password, against: stored, pepper: pepper) }
  }

  /// Hashes on the calling thread, for command-line tools.
  ///
  /// - Throws: `MatrixError` `M_INVALID_PARAM` for a password that contains a NUL, `M_UNKNOWN` when libxcrypt refuses.
  public static func hash(_ password: Text, pepper: Text, rounds: Int) throws -> Text {
    guard let phrase = phrase(password, pepper: pepper) else {
      throw MatrixError.invalidParam("A password cannot contain a NUL character")
    }
    var generator = SystemRandomNumberGenerator()
    let random = (0..<16).map { _ in CChar.random(in: .min ... .max, using: &generator) }
    var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
    let cost = UInt(clamping: rounds)
    guard crypt_gensalt_rn("$2b$" as String, cost, random, Int32(random.count), &setting, Int32(setting.count)) != nil,
      let result = crypt(phrase, setting)
    else { throw MatrixError.unknown("Cannot hash the password", status: 500) }
    return result
  }

  /// Checks on the calling thread.
  public static func verify(_ password: Text, against stored: Text, pepper: Text) -> Bool {
    guard ["$2a$", "$2b$", "$2y$"].contains(stored.utf8Prefix(4)), stored.utf8.count == 60,
      let phrase = phrase(password, pepper: pepper), let result = crypt(phrase, Array(stored.string.utf8CString))
    else { return false }
    // Every byte is looked at, so that the time reveals nothing about where they differ.
    let difference = zip(result.utf8, stored.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
    return result.utf8.count == stored.utf8.count && difference == 0
  }

  /// Makes the C string that is hashed; nil when a NUL would cut it short.
  private static func phrase(_ password: Text, pepper: Text) -> [CChar]? {
    guard let normalized = compatibilityComposed(Array(password.utf8)) else { return nil }
    let bytes = normalized + Array(pepper.utf8)
    guard !bytes.contains(0) else { return nil }
    return bytes.prefix(72).map { CChar(bitPattern: $0) } + [0]
  }

  /// Brings UTF-8 into NFKC; nil when there is no memory for it.
  private static func compatibilityComposed(_ text: [UInt8]) -> [UInt8]? {
    guard text.contains(where: { $0 >= 0x80 }) else { return text }
    var count = 0
    guard let result = cunistring_nfkc(text, text.count, &count) else { return nil }
    defer { free(result) }
    return Array(UnsafeBufferPointer(start: result, count: count))
  }

  private static func crypt(_ phrase: [CChar], _ setting: [CChar]) -> Text? {
    let size = MemoryLayout<crypt_data>.size
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: MemoryLayout<crypt_data>.alignment)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    defer { memory.deallocate() }
    // A failure is a string that begins with an asterisk, never a hash.
    guard let output = crypt_rn(phrase, setting, memory, Int32(size)) else { return nil }
    let text = Text(cString: output)
    return text.hasPrefix("*") ? nil : text
  }

  private func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    let chosen = loads.withLock { loads -> Int? in
      guard loads.reduce(0, +) < Self.maximumWaiting, let least = loads.min(), let index = loads.firstIndex(of: least)
      else { return nil }
      loads[index] += 1
      return index
    }
    guard let chosen else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 5000) }
    defer { loads.withLock { $0[chosen] -= 1 } }
    return try await withCheckedThrowingContinuation { continuation in
      queues[chosen].async { continuation.resume(with: Swift.Result(catching: body)) }
    }
  }
}
