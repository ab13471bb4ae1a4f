import AccountServices
import MatrixPrimitives
import Stores

/// The acceptance of signatures that users make on keys: of their own devices and master key, and of other users' master keys.
///
/// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keyssignaturesupload
public final class KeySignatureService: Sendable {
  /// The signatures that were not accepted, by the owner and the name of the key.
  public typealias Failures = [Text: [Text: MatrixError]]

  private let keys: PublicKeyStore
  private let crossSigning: CrossSigningStore
  private let devices: DeviceService

  init(stores: EncryptionStores, devices: DeviceService) {
    keys = stores.publicKeys
    crossSigning = stores.crossSigning
    self.devices = devices
  }

  /// Stores the good signatures of an upload and announces them: those on the user's own keys to everybody who shares a room with the user, those
  /// on others' to the user's own devices.
  ///
  /// - Parameter body: the signed keys by owner and name.
  /// - Throws: `MatrixError` 400 `M_INVALID_PARAM` when the body does not have that form.
  public func upload(_ body: JSONValue, of user: UserID) async throws -> Failures {
    let uploaded = try Self.read(body)
    let mine = try await keys.currentKeys(of: user)
    var judgement = SignatureJudgement(
      signer: user, keys: mine, signatures: try await keys.currentSignatures(by: user))
    var others = uploaded
    if let own = others.removeValue(forKey: user.rawValue) { judgement.judgeOwn(own) }
    if !others.isEmpty {
      let targets = try await keys.keys(of: others.keys.compactMap { UserID($0) })
      judgement.judgeOthers(others, targets)
    }
    try await crossSigning.store(judgement.accepted, by: user)
    let (own, foreign) = (
      Set(judgement.accepted.filter { $0.target == user }.map(\.device)),
      Set(judgement.accepted.map(\.target)).subtracting([user])
    )
    try await devices.changed(own.sorted(), of: user)
    try await devices.signed(foreign.sorted(), by: user)
    return judgement.failures
  }

  private static func read(_ body: JSONValue) throws(MatrixError) -> [Text: [Text: JSONValue]] {
    var uploaded: [Text: [Text: JSONValue]] = [:]
    guard let users = body.members else { throw .badJSON("Content must be a JSON object.") }
    for (user, keys) in users {
      guard let members = keys.members else { throw .invalidParam("Invalid parameter") }
      var byName: [Text: JSONValue] = [:]
      for (name, key) in members {
        guard key.members != nil else { throw .invalidParam("Invalid parameter") }
        byName[name] = key
      }
      uploaded[user] = byName
    }
    return uploaded
  }
}
