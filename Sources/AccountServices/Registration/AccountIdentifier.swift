import ByteText

/// An e-mail address or phone number that is bound to an account.
public struct AccountIdentifier: Sendable {
  /// `email` or `msisdn`.
  public let medium: Text
  /// The address or number, in canonical form.
  public let address: Text
  /// The time at which it was proved to be the user's, since 1970.
  public let validatedAtMilliseconds: Int64
  /// The time at which it was bound to the account, since 1970.
  public let addedAtMilliseconds: Int64
}
