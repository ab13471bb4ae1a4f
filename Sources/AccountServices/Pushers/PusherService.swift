import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// What users have announced elsewhere. The announcing itself is done by others, who follow the stream `pushers`.
public final class PusherService: Sendable {
  private let store: PusherStore
  private let accounts: AccountStore
  private let router: CallRouter
  private let canBeDisabledByAll: Bool

  /// The longest ID of an app, and the longest of the other names, in bytes.
  private static let longestAppID = 255, longestName = 1_024
  /// The largest settings of a pusher, in bytes.
  private static let largestData = 16_384
  /// The path at which every push gateway answers.
  private static let gatewayPath = "/_matrix/push/v1/notify"

  init(stores: AccountStores, router: CallRouter) {
    store = stores.pushers
    accounts = stores.accounts
    self.router = router
    canBeDisabledByAll = stores.context.config.experimental.isEnabled("msc3881_enabled")
  }

  /// Lists a user's pushers.
  public func list(of user: UserID) async throws -> [PusherDetails] {
    let showsDevice = try await canBeDisabled(by: user)
    return try await store.pushers(of: user).map { PusherDetails(pusher: $0, showsDevice: showsDevice) }
  }

  private func canBeDisabled(by user: UserID) async throws -> Bool {
    if canBeDisabledByAll { return true }
    return try await store.isFeatureEnabled("msc3881", for: user)
  }

  /// Adds, replaces or deletes a pusher. On the writer of the stream.
  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3pushersset
  ///
  /// - Throws: 400 when something is missing or of a wrong type, or an e-mail address is not the user's.
  public func set(_ body: JSONValue, by requester: Requester) async throws {
    let user = requester.userID
    if body["kind"]?.isNull == true, let app = body["app_id"]?.string, let key = body["pushkey"]?.string {
      return try await store.remove(appID: try Self.checked(app), pushKey: try Self.checked(key), of: user)
    }
    let isEnabled =
      try await canBeDisabled(by: user) ? body.optionalBool("org.matrix.msc3881.enabled") ?? true : true
    let pusher = try Self.pusher(body, isEnabled: isEnabled, deviceID: requester.deviceID)
    let replacesOthers = try body.optionalBool("append") != true
    switch pusher.kind {
    case "email": try await checkMailbox(pusher.pushKey, of: user)
    case "http": try Self.checkGateway(body)
    default: break  // stored as on Synapse, and followed by nobody
    }
    try await store.set(pusher, of: user, replacesOthers: replacesOthers)
  }

  private static func pusher(_ body: JSONValue, isEnabled: Bool, deviceID: Text?) throws(MatrixError) -> Pusher {
    for key in ["kind", "app_id", "app_display_name", "device_display_name", "pushkey", "lang", "data"] as [Text]
    where body[key] == nil {
      throw .missingParam("Missing params: \(key)")
    }
    let data = try body.requireObject("data")
    guard data.raw.count <= largestData else { throw .tooLarge("The data of the pusher is too large") }
    let app = try body.requireString("app_id")
    guard app.utf8.count <= longestAppID else { throw .invalidParam("The app ID is too long") }
    return Pusher(
      kind: try checked(try body.requireString("kind")), appID: try checked(app),
      pushKey: try checked(try body.requireString("pushkey")),
      appDisplayName: try checked(try body.requireString("app_display_name")),
      deviceDisplayName: try checked(try body.requireString("device_display_name")),
      profileTag: try checked(try body.optionalString("profile_tag") ?? ""),
      language: try checked(try body.requireString("lang")), data: Array(data.raw), isEnabled: isEnabled,
      deviceID: deviceID)
  }

  private static func checked(_ text: Text) throws(MatrixError) -> Text {
    guard text.utf8.count <= longestName, !text.utf8.contains(0) else {
      throw .invalidParam("A text is too long or has a null character")
    }
    return text
  }

  /// Refuses the address of a push gateway whose path is another than that of the specification.
  private static func checkGateway(_ body: JSONValue) throws(MatrixError) {
    guard let url = body["data"]?["url"] else {
      throw .missingParam("Config Error: 'url' required in data for HTTP pusher")
    }
    guard let url = url.string else { throw .missingParam("Config Error: 'url' must be a string") }
    guard path(of: url) == gatewayPath else {
      throw .missingParam("Config Error: 'url' must have a path of '\(gatewayPath)'")
    }
  }

  /// Returns the path of an address: what follows the authority, up to parameters, query or fragment.
  private static func path(of url: Text) -> Text {
    let bytes = Array(url.utf8)
    var rest = bytes[...]
    if let colon = rest.firstIndex(of: UInt8(ascii: ":")), rest[..<colon].allSatisfy(isOfScheme) {
      rest = rest[rest.index(after: colon)...]
    }
    if rest.starts(with: "//".utf8) {
      rest = rest.dropFirst(2)
      rest = rest[(rest.firstIndex { "/?#".utf8.contains($0) } ?? rest.endIndex)...]
    }
    return Text(decoding: rest.prefix { !";?#".utf8.contains($0) }, as: UTF8.self)
  }

  private static func isOfScheme(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private func checkMailbox(_ address: Text, of user: UserID) async throws {
    guard try await accounts.user(withThirdParty: "email", ThirdPartyAddress.folded(address)) == user else {
      throw MatrixError(.threepidNotFound, "Email not found")
    }
  }

  // MARK: Removing

  /// Deletes the pushers that devices of a user have made, which are no more.
  func removePushers(of user: UserID, madeBy devices: [Text]) async throws {
    guard !devices.isEmpty else { return }
    for pusher in try await store.pushers(of: user, madeBy: devices) {
      let call = PusherRemoved(userID: user, appID: pusher.appID, pushKey: pusher.pushKey)
      _ = try await router.perform(call, here: remove)
    }
  }

  /// Deletes all pushers of a user.
  func removeAll(of user: UserID) async throws {
    _ = try await router.perform(AllPushersRemoved(userID: user), here: remove)
  }

  /// The calls by which other processes have a writer of `pushers` delete some.
  var calls: [ServedCall] {
    [
      ServedCall(PusherRemoved.self) { try await self.remove($0) },
      ServedCall(AllPushersRemoved.self) { try await self.remove($0) },
    ]
  }

  private func remove(_ call: PusherRemoved) async throws -> EmptyAnswer {
    try await store.remove(appID: call.appID, pushKey: call.pushKey, of: call.userID)
    return EmptyAnswer()
  }

  private func remove(_ call: AllPushersRemoved) async throws -> EmptyAnswer {
    try await store.removeAll(of: call.userID)
    return EmptyAnswer()
  }
}

/// A pusher as its user sees it.
public struct PusherDetails: Sendable {
  let pusher: Pusher
  let showsDevice: Bool

  /// Writes the pusher.
  public func write(to writer: inout JSONWriter) {
    writer.object {
      $0.member("app_display_name", pusher.appDisplayName)
      $0.member("app_id", pusher.appID)
      $0.key("data" as StaticString)
      $0.raw(pusher.data)
      $0.member("device_display_name", pusher.deviceDisplayName)
      $0.member("kind", pusher.kind)
      $0.member("lang", pusher.language.map(JSON.string) ?? .null)
      $0.member("profile_tag", pusher.profileTag)
      $0.member("pushkey", pusher.pushKey)
      if showsDevice {
        $0.member("org.matrix.msc3881.enabled", pusher.isEnabled)
        $0.member("org.matrix.msc3881.device_id", pusher.deviceID.map(JSON.string) ?? .null)
      }
    }
  }
}
