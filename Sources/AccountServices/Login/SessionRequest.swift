import MatrixPrimitives
import Replication
import Stores

/// What a session is opened with.
///
/// As a call of a worker to the main process it is `POST device_check_registered/<user_id>/<transaction id>`, body `{"device_id": "D"|null,
/// "initial_display_name": "…"|null, "is_guest": false, "is_appservice_ghost": false, "should_issue_refresh_token": false,
/// "auth_provider_id": "…"|null, "auth_provider_session_id": "…"|null, "registration_session": "…"}`, of which the last member is ours
/// and may be missing.
public struct SessionRequest: Sendable {
  /// The user that logs in.
  public var userID: UserID
  /// The client's choice of a device, or nil for a new one.
  public var deviceID: Text?
  /// The name of a new device.
  public var displayName: Text?
  /// Whether a refresh token is asked for; honoured only where the configuration sets lifetimes for refreshable tokens.
  public var wantsRefreshToken: Bool
  /// Whether the user is a guest, whose session cannot be refreshed.
  public var isGuest: Bool
  /// Whether the user belongs to an application service, which other processes count in another way.
  public var isAppserviceGhost: Bool
  /// The session at a provider of single sign-on by which the user has logged in.
  public var authProvider: AuthProviderSession?
  /// The session of the registration whose first login this is; asked again it gives the same session. A process of Synapse passes
  /// over it and opens another session.
  public var registrationSession: Text?

  /// Collects the values of a login.
  public init(
    userID: UserID, deviceID: Text?, displayName: Text?, wantsRefreshToken: Bool, isGuest: Bool = false,
    registrationSession: Text? = nil
  ) {
    self.userID = userID
    self.deviceID = deviceID
    self.displayName = displayName
    self.wantsRefreshToken = wantsRefreshToken
    self.isGuest = isGuest
    isAppserviceGhost = false
    self.registrationSession = registrationSession
  }

  /// Refuses a device ID or name that cannot be, so that nothing is stored before a session that cannot be opened.
  ///
  /// - Throws: `MatrixError` 400.
  public static func check(deviceID: Text?, displayName: Text?) throws(MatrixError) {
    if let deviceID, deviceID.isEmpty || deviceID.utf8.count > 512 || deviceID.utf8.contains(0) {
      throw .invalidParam("device_id must be a string of 1 to 512 bytes")
    }
    try DeviceService.check(displayName: displayName)
  }
}

extension SessionRequest: ReplicationCall {
  /// The session that was opened.
  public typealias Answer = NewSession

  /// The first path segment.
  public static let name = "device_check_registered"
  /// The path segment that follows.
  public static let argumentNames = ["user_id"]
  /// Whether the answer is kept: no call opens two sessions.
  public static let isCached = true
  /// Whether only the main process has the endpoint.
  public static let isServedByMainOnly = true

  /// The user.
  public var arguments: [Text] { [userID.rawValue] }
  /// The main process.
  public var destination: CallDestination { .main }

  /// Writes the members of the body.
  public func writeMembers(to writer: inout JSONWriter) {
    writer.member("device_id", deviceID.map(JSON.string) ?? .null)
    writer.member("initial_display_name", displayName.map(JSON.string) ?? .null)
    writer.member("is_guest", isGuest)
    writer.member("is_appservice_ghost", isAppserviceGhost)
    writer.member("should_issue_refresh_token", wantsRefreshToken)
    writer.member("auth_provider_id", authProvider.map { .string($0.providerID) } ?? JSON.null)
    writer.member("auth_provider_session_id", authProvider.map { .string($0.sessionID) } ?? JSON.null)
    writer.memberIfPresent("registration_session", registrationSession)
  }

  /// Reads a call.
  public init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    deviceID = try body.optionalString("device_id")
    displayName = try body.optionalString("initial_display_name")
    wantsRefreshToken = try body.optionalBool("should_issue_refresh_token") ?? false
    isGuest = try body.optionalBool("is_guest") ?? false
    isAppserviceGhost = try body.optionalBool("is_appservice_ghost") ?? false
    if let provider = try body.optionalString("auth_provider_id"),
      let session = try body.optionalString("auth_provider_session_id")
    {
      authProvider = AuthProviderSession(providerID: provider, sessionID: session)
    }
    registrationSession = try body.optionalString("registration_session")
  }
}
