extension MatrixError {
  /// Makes a 403: the user may not do this.
  public static func forbidden(_ message: Text) -> MatrixError {
    MatrixError(status: 403, errcode: "M_FORBIDDEN", message: message)
  }

  /// Makes a 404: the thing does not exist.
  public static func notFound(_ message: Text = "Not found") -> MatrixError {
    MatrixError(status: 404, errcode: "M_NOT_FOUND", message: message)
  }

  /// Makes a 404: no endpoint has this path; or a 400, for a path whose parts an endpoint does not know.
  public static func unrecognized(_ message: Text = "Unrecognized request", status: Int = 404) -> MatrixError {
    MatrixError(status: status, errcode: "M_UNRECOGNIZED", message: message)
  }

  /// Makes a 405: the path exists with other methods.
  public static func methodNotAllowed(_ message: Text = "Unrecognized request") -> MatrixError {
    MatrixError(status: 405, errcode: "M_UNRECOGNIZED", message: message)
  }

  /// Makes a 400: the body is not JSON.
  public static func notJSON(_ message: Text = "Content is not JSON.") -> MatrixError {
    MatrixError(status: 400, errcode: "M_NOT_JSON", message: message)
  }

  /// Makes a 400: the body is JSON of the wrong shape.
  public static func badJSON(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_BAD_JSON", message: message)
  }

  /// Makes a 400: a parameter is absent.
  public static func missingParam(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_MISSING_PARAM", message: message)
  }

  /// Makes a 400: a parameter has a value that is not allowed.
  public static func invalidParam(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_INVALID_PARAM", message: message)
  }

  /// Makes a 401: the request has no access token.
  public static func missingToken(_ message: Text = "Missing access token") -> MatrixError {
    MatrixError(status: 401, errcode: "M_MISSING_TOKEN", message: message)
  }

  /// Makes a 413: a body or an event is too large.
  public static func tooLarge(_ message: Text) -> MatrixError {
    MatrixError(status: 413, errcode: "M_TOO_LARGE", message: message)
  }

  /// Makes a 400: the user name is taken.
  public static func userInUse(_ message: Text = "User ID is already taken.") -> MatrixError {
    MatrixError(status: 400, errcode: "M_USER_IN_USE", message: message)
  }

  /// Makes a 400: the user name is not allowed.
  public static func invalidUsername(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_INVALID_USERNAME", message: message)
  }

  /// Makes a 400: the name belongs to an application service.
  public static func exclusive(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_EXCLUSIVE", message: message)
  }

  /// Makes a 400: the password breaks the policy.
  public static func weakPassword(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_WEAK_PASSWORD", message: message)
  }

  /// Makes a 400: the alias of a new room is taken.
  public static func roomInUse(_ message: Text = "Room alias is already taken.") -> MatrixError {
    MatrixError(status: 400, errcode: "M_ROOM_IN_USE", message: message)
  }

  /// Makes a 403: guests may not do this.
  public static func guestAccessForbidden(_ message: Text = "Guest access is not allowed.") -> MatrixError {
    MatrixError(status: 403, errcode: "M_GUEST_ACCESS_FORBIDDEN", message: message)
  }

  /// Makes a 400: the server does not know the room version.
  public static func unsupportedRoomVersion(_ message: Text = "The room version is not supported by this server.")
    -> MatrixError
  {
    MatrixError(status: 400, errcode: "M_UNSUPPORTED_ROOM_VERSION", message: message)
  }

  /// Makes a 403: the account is closed.
  public static func userDeactivated(_ message: Text = "This account has been deactivated.") -> MatrixError {
    MatrixError(status: 403, errcode: "M_USER_DEACTIVATED", message: message)
  }

  /// Makes a 403: an administrator has not approved the account yet (MSC3866).
  public static func awaitingApproval(_ message: Text) -> MatrixError {
    .custom(
      status: 403, errcode: "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL", message: message,
      extras: ["approval_notice_medium": "org.matrix.msc3866.none"])
  }

  /// Makes a 400: an alias is malformed or points elsewhere.
  public static func badAlias(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_BAD_ALIAS", message: message)
  }

  /// Makes a 400: a new room's initial state contradicts itself.
  public static func invalidRoomState(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_INVALID_ROOM_STATE", message: message)
  }

  /// Makes a 403: the change does not fit the room's present state.
  public static func badState(_ message: Text) -> MatrixError {
    MatrixError(status: 403, errcode: "M_BAD_STATE", message: message)
  }

  /// Makes a 400: this server cannot check a restricted join.
  public static func unableToAuthoriseJoin(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_UNABLE_TO_AUTHORISE_JOIN", message: message)
  }

  /// Makes a 400: no user of this server may grant a restricted join.
  public static func unableToGrantJoin(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_UNABLE_TO_GRANT_JOIN", message: message)
  }

  /// Makes a 400: the address is bound to another account.
  public static func threepidInUse(_ message: Text) -> MatrixError {
    MatrixError(status: 400, errcode: "M_THREEPID_IN_USE", message: message)
  }

  /// Makes a 403: the server's notices cannot be left.
  public static func cannotLeaveServerNoticeRoom(_ message: Text) -> MatrixError {
    MatrixError(status: 403, errcode: "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", message: message)
  }

  /// Makes a 401: the request is not authenticated as it must be.
  public static func unauthorized(_ message: Text) -> MatrixError {
    MatrixError(status: 401, errcode: "M_UNAUTHORIZED", message: message)
  }

  /// Makes a 504: the media id is reserved, its content has not come.
  public static func notYetUploaded(_ message: Text = "Media has not been uploaded yet") -> MatrixError {
    MatrixError(status: 504, errcode: "M_NOT_YET_UPLOADED", message: message)
  }

  /// Makes a 409: the media id has content.
  public static func cannotOverwriteMedia(_ message: Text = "Media ID already has content") -> MatrixError {
    MatrixError(status: 409, errcode: "M_CANNOT_OVERWRITE_MEDIA", message: message)
  }

  /// Makes a 401: the access token is not known.
  /// - Parameter softLogout: tells the client that it may keep its local data and log in again.
  public static func unknownToken(
    _ message: Text = "Invalid access token passed.", softLogout: Bool = false
  ) -> MatrixError {
    MatrixError(status: 401, errcode: "M_UNKNOWN_TOKEN", message: message, extras: ["soft_logout": .bool(softLogout)])
  }

  /// Makes a 429: the client is too fast.
  /// - Parameter retryAfterMilliseconds: when it may try again.
  public static func limitExceeded(
    _ message: Text = "Too Many Requests", retryAfterMilliseconds: Int64?
  ) -> MatrixError {
    MatrixError(
      status: 429, errcode: "M_LIMIT_EXCEEDED", message: message, retryAfterMilliseconds: retryAfterMilliseconds)
  }

  /// Makes a 400: the room has a version the joining server did not list.
  public static func incompatibleRoomVersion(
    _ message: Text = "Your homeserver does not support the features required to join this room", roomVersion: Text
  ) -> MatrixError {
    MatrixError(
      status: 400, errcode: "M_INCOMPATIBLE_ROOM_VERSION", message: message,
      extras: ["room_version": .string(roomVersion)])
  }

  /// Makes a 403: the server has reached a limit of its administrator.
  /// - Parameters:
  ///   - limitType: such as `monthly_active_user`.
  ///   - adminContact: a URI of whom to ask.
  public static func resourceLimitExceeded(
    _ message: Text, limitType: Text, adminContact: Text? = nil
  ) -> MatrixError {
    var extras: [Text: JSON] = ["limit_type": .string(limitType)]
    if let adminContact { extras["admin_contact"] = .string(adminContact) }
    return MatrixError(status: 403, errcode: "M_RESOURCE_LIMIT_EXCEEDED", message: message, extras: extras)
  }

  /// Makes an error without a code of its own.
  /// - Parameter status: 400 if the client is at fault, 500 if the server is.
  public static func unknown(_ message: Text, status: Int = 400) -> MatrixError {
    MatrixError(status: status, errcode: "M_UNKNOWN", message: message)
  }
}
