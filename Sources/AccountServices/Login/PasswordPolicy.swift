import MatrixPrimitives
import ServerConfig

/// The check of a new password against `password_config.policy`.
public struct PasswordPolicy: Sendable {
  private let settings: PasswordSettings.Policy

  init(_ settings: PasswordSettings.Policy) { self.settings = settings }

  /// The largest password accepted, in characters; bcrypt itself reads 72 bytes.
  static let maximumLength = 512

  /// Checks a password.
  ///
  /// - Throws: `MatrixError` 400 with the policy errcode of MSC2000, as Synapse answers.
  public func check(_ password: Text) throws(MatrixError) {
    guard password.unicodeScalars.count <= Self.maximumLength else { throw .invalidParam("Invalid password") }
    guard settings.isEnabled else { return }
    let scalars = password.unicodeScalars
    if scalars.count < settings.minimumLength {
      throw MatrixError(.passwordTooShort, "The password must have at least \(settings.minimumLength) characters")
    }
    if settings.requiresDigit, !scalars.contains(where: { ("0"..."9").contains($0) }) {
      throw MatrixError(.passwordNoDigit, "The password must include at least one digit")
    }
    if settings.requiresSymbol, scalars.allSatisfy(Self.isAlphanumeric) {
      throw MatrixError(.passwordNoSymbol, "The password must include at least one symbol")
    }
    if settings.requiresUppercase, !scalars.contains(where: { ("A"..."Z").contains($0) }) {
      throw MatrixError(.passwordNoUppercase, "The password must include at least one uppercase letter")
    }
    if settings.requiresLowercase, !scalars.contains(where: { ("a"..."z").contains($0) }) {
      throw MatrixError(.passwordNoLowercase, "The password must include at least one lowercase letter")
    }
  }

  /// The policy as `GET /password_policy` answers it; empty when there is none.
  public var description: JSON {
    guard settings.isEnabled else { return .object([:]) }
    return .object([
      "m.minimum_length": .integer(Int64(settings.minimumLength)), "m.require_digit": .bool(settings.requiresDigit),
      "m.require_symbol": .bool(settings.requiresSymbol), "m.require_uppercase": .bool(settings.requiresUppercase),
      "m.require_lowercase": .bool(settings.requiresLowercase),
    ])
  }

  private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
    ("0"..."9").contains(scalar) || ("A"..."Z").contains(scalar) || ("a"..."z").contains(scalar)
  }
}
