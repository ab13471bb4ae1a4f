import MatrixPrimitives
import Stores

/// The body of an upload of keys, checked.
///
/// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysupload; extra members are kept, as on Synapse.
public struct KeyUpload: Sendable {
  /// The longest name of an algorithm or of a key, in bytes.
  static let longestName = 255
  /// The largest key of one kind, in bytes of canonical JSON.
  static let largestKey = 8_192
  /// The largest identity keys of a device, in bytes of canonical JSON.
  static let largestIdentityKeys = 65_536

  /// The keys in the form in which they are stored.
  public let rows: DeviceKeyRows

  /// Checks the members `device_keys`, `one_time_keys` and `fallback_keys` of a body.
  ///
  /// - Parameters:
  ///   - user: the owner of the keys.
  ///   - device: the device that the keys belong to.
  /// - Throws: `MatrixError` 400 `M_BAD_JSON` for keys of another form or of another device, `M_TOO_LARGE` for keys that are too large.
  public init(_ body: JSONValue, user: UserID, device: Text) throws(MatrixError) {
    var rows = DeviceKeyRows()
    if let keys = body["device_keys"] { rows.identityKeys = try Self.identityKeys(keys, user, device) }
    rows.oneTimeKeys = try Self.keys(body, "one_time_keys")
    rows.fallbackKeys = try Self.oneForEachAlgorithm(try Self.keys(body, "fallback_keys"))
    self.rows = rows
  }

  private static func identityKeys(
    _ keys: JSONValue, _ user: UserID, _ device: Text
  ) throws(MatrixError) -> Text {
    guard !keys.isNull else { throw .invalidParam("device_keys must not be null") }
    guard keys.members != nil else { throw .badJSON("'device_keys' must be an object.") }
    // One missing member is named; what has hardly any is no device keys (observed).
    let missing = (["algorithms", "device_id", "keys", "signatures", "user_id"] as [Text]).filter { keys[$0] == nil }
    guard missing.count < 2 else { throw .badJSON("'device_keys' has none of \(missing.joined(separator: ", ")).") }
    for algorithm in try keys.requireArray("algorithms") where algorithm.string == nil {
      throw .badJSON("'algorithms' must hold strings.")
    }
    guard isTextMap(try keys.requireObject("keys")) else { throw .badJSON("'keys' must hold strings.") }
    try checkSignatures(keys)
    guard try keys.requireString("user_id") == user.rawValue else {
      throw .badJSON("Provided `user_id` in `device_keys` does not match that of the authenticated user")
    }
    guard try keys.requireString("device_id") == device else {
      throw .badJSON("Provided `device_id` in `device_keys` does not match that of the authenticated user device")
    }
    return try canonical(keys, limit: largestIdentityKeys)
  }

  private static func keys(_ body: JSONValue, _ member: Text) throws(MatrixError) -> [DeviceKeyRows.Key] {
    guard let members = try body.optionalObject(member)?.members else { return [] }
    var keys: [Text: DeviceKeyRows.Key] = [:]
    for (name, value) in members {
      let parts = name.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard parts.count == 2, isStorable(parts[0]), isStorable(parts[1]) else {
        throw .badJSON("Invalid \(member) key. Expected \"<algorithm>:<device_id>\".")
      }
      try check(value)
      keys[name] = DeviceKeyRows.Key(
        algorithm: parts[0], id: parts[1], json: try canonical(value, limit: largestKey))
    }
    return keys.keys.sorted().compactMap { keys[$0] }
  }

  /// Of several fallback keys of an algorithm the last by name stays: only one is ever kept.
  private static func oneForEachAlgorithm(_ keys: [DeviceKeyRows.Key]) throws(MatrixError) -> [DeviceKeyRows.Key] {
    var byAlgorithm: [Text: DeviceKeyRows.Key] = [:]
    for key in keys { byAlgorithm[key.algorithm] = key }
    return byAlgorithm.keys.sorted().compactMap { byAlgorithm[$0] }
  }

  /// Checks a key: the key itself, or an object with it and its signatures.
  private static func check(_ key: JSONValue) throws(MatrixError) {
    if key.string != nil { return }
    guard key["key"]?.string != nil else { throw .badJSON("A key must be a string or an object with 'key'.") }
    _ = try key.optionalBool("fallback")
    guard key["signatures"] != nil else { throw .badJSON("A key that is an object must have 'signatures'.") }
    try checkSignatures(key)
  }

  private static func checkSignatures(_ object: JSONValue) throws(MatrixError) {
    guard let signers = try object.requireObject("signatures").members,
      signers.allSatisfy({ isTextMap($0.value) })
    else { throw .badJSON("'signatures' must hold objects of strings.") }
  }

  private static func isTextMap(_ value: JSONValue) -> Bool {
    value.members?.allSatisfy { $0.value.string != nil } ?? false
  }

  /// Returns whether a name fits the index of its table, which takes rows up to a size, and has no NUL.
  static func isStorable(_ name: Text) -> Bool { name.utf8.count <= longestName && !name.contains(0) }

  private static func canonical(_ value: JSONValue, limit: Int) throws(MatrixError) -> Text {
    let bytes: [UInt8]
    do {
      bytes = try CanonicalJSON.encode(value, strict: false)
    } catch {
      throw .badJSON("A key cannot be written as canonical JSON.")
    }
    guard bytes.count <= limit else {
      throw MatrixError(.tooLarge, "A key must not be larger than \(limit) bytes", status: 400)
    }
    return Text(decoding: bytes, as: UTF8.self)
  }
}
