import ByteText

/// The user or service that makes a request; travels between processes in the body of HTTP calls.
public struct Requester: Sendable, Hashable {
  /// The user as whom the request acts.
  public var userID: UserID
  /// The value of `access_tokens.id` of the token used; nil for application services and internal requests.
  public var accessTokenID: Int64?
  /// The device of the token.
  public var deviceID: Text?
  /// Whether the user is a guest.
  public var isGuest: Bool
  /// Whether what the user sends must look sent to them and reach nobody.
  public var isShadowBanned: Bool
  /// The application service that acts.
  public var appserviceID: Text?
  /// The user (or server) who really authenticated; differs when an administrator acts as somebody else.
  public var authenticatedEntity: Text
  /// The OAuth scopes of the token; empty for ordinary tokens.
  public var scope: [Text]

  /// Describes a requester.
  /// - Parameters:
  ///   - userID: the user as whom the request acts.
  ///   - accessTokenID: `access_tokens.id`.
  ///   - deviceID: device of the token.
  ///   - isGuest: whether the user is a guest.
  ///   - isShadowBanned: whether the user is shadow-banned.
  ///   - appserviceID: id of the acting application service.
  ///   - authenticatedEntity: who authenticated; the user when nil.
  ///   - scope: OAuth scopes.
  public init(
    userID: UserID, accessTokenID: Int64? = nil, deviceID: Text? = nil, isGuest: Bool = false,
    isShadowBanned: Bool = false, appserviceID: Text? = nil, authenticatedEntity: Text? = nil,
    scope: [Text] = []
  ) {
    self.userID = userID
    self.accessTokenID = accessTokenID
    self.deviceID = deviceID
    self.isGuest = isGuest
    self.isShadowBanned = isShadowBanned
    self.appserviceID = appserviceID
    self.authenticatedEntity = authenticatedEntity ?? userID.rawValue
    self.scope = scope
  }

  /// Reads a requester from the body of an HTTP call between processes.
  /// - Parameter json: the object under the key `requester`.
  /// - Throws: `MatrixError` 400 when a field is missing or has the wrong type.
  public init(json: JSONValue) throws(MatrixError) {
    userID = UserID(unchecked: try json.requireString("user_id"))
    accessTokenID = try json.optionalInteger("access_token_id")
    deviceID = try json.optionalString("device_id")
    isGuest = try json.requireBool("is_guest")
    isShadowBanned = try json.requireBool("shadow_banned")
    appserviceID = try json.optionalString("app_server_id")
    authenticatedEntity = try json.requireString("authenticated_entity")
    scope = json["scope"]?.elements?.compactMap(\.string) ?? []
  }

  /// The object that other processes expect; the application service stands under `app_server_id`.
  public var json: JSON {
    .object([
      "user_id": .string(userID.rawValue),
      "access_token_id": accessTokenID.map { .integer($0) } ?? .null,
      "is_guest": .bool(isGuest),
      "scope": .array(scope.map { .string($0) }),
      "shadow_banned": .bool(isShadowBanned),
      "device_id": deviceID.map { .string($0) } ?? .null,
      "app_server_id": appserviceID.map { .string($0) } ?? .null,
      "authenticated_entity": .string(authenticatedEntity),
    ])
  }
}
