import Crypto
import MatrixPrimitives
import Synchronization

/// The nonces that were handed out, each good for a minute and for one registration.
///
/// A nonce carries its time and proves that it was made here, so nothing is kept of those that are given out: a client that asks
/// for many neither grows anything nor voids those of others. Only those that were used with the shared secret are kept, until they
/// are too old.
final class NonceRegister: Sendable {
  private static let lifetimeMilliseconds: Int64 = 60_000
  private let clock: ServerClock
  private let key = SymmetricKey(size: .bits256)
  private let used = Mutex<[Text: Int64]>([:])

  init(clock: ServerClock) { self.clock = clock }

  /// Makes a nonce: time and random letters, and the proof over both.
  func make() -> Text { sealed("\(clock.monotonicMilliseconds)-\(RandomString.letters(24))") }

  /// Returns whether a nonce was made here, is not too old and was not used.
  func isGood(_ nonce: Text) -> Bool { made(nonce) != nil && used.withLock { $0[nonce] == nil } }

  /// Uses a nonce up.
  ///
  /// - Returns: whether it could still be used.
  func take(_ nonce: Text) -> Bool {
    guard let made = made(nonce) else { return false }
    let oldest = clock.monotonicMilliseconds - Self.lifetimeMilliseconds
    return used.withLock { used in
      used = used.filter { $0.value > oldest }
      return used.updateValue(made, forKey: nonce) == nil
    }
  }

  /// Returns when a good nonce was made.
  private func made(_ nonce: Text) -> Int64? {
    let parts = nonce.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 3, let time = Int64(Text(decoding: parts[0], as: UTF8.self)) else { return nil }
    let body = Text(decoding: parts[0], as: UTF8.self) + "-" + Text(decoding: parts[1], as: UTF8.self)
    let now = clock.monotonicMilliseconds
    guard Self.isEqual(nonce, sealed(body)), time <= now, now - time < Self.lifetimeMilliseconds else {
      return nil
    }
    return time
  }

  /// Compares all bytes, so that the time taken does not reveal how many were right.
  private static func isEqual(_ shown: Text, _ wanted: Text) -> Bool {
    shown.utf8.count == wanted.utf8.count
      && zip(shown.utf8, wanted.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private func sealed(_ body: Text) -> Text {
    let proof = HMAC<SHA256>.authenticationCode(for: Array(body.utf8), using: key)
    return "\(body)-\(Text(hexadecimal: proof))"
  }
}
