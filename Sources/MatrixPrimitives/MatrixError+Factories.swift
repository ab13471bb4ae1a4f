/// Factories of errors that are thrown in many places or have a standard message or further members; others are made from their code.
extension MatrixError {
  /// Makes a 403: the user may not do this.
  public static func forbidden(_ message: Text) -> MatrixError { MatrixError(.forbidden, message) }

  /// Makes a 404: the thing does not exist.
  public static func notFound(_ message: Text = "Not found") -> MatrixError { MatrixError(.notFound, message) }

  /// Makes a 404: no endpoint has this path; or a 400, for a path with parts unknown to the endpoint.
  public static func unrecognized(_ message: Text = "Unrecognized request", status: Int = 404) -> MatrixError {
    MatrixError(.unrecognized, message, status: status)
  }

  /// Makes a 405: the path exists with other methods.
  public static func methodNotAllowed(_ message: Text = "Unrecognized request") -> MatrixError {
    MatrixError(.unrecognized, message, status: 405)
  }

  /// Makes a 400: the body is not JSON.
  public static func notJSON(_ message: Text = "Content is not JSON.") -> MatrixError { MatrixError(.notJSON, message) }

  /// Makes a 400: the body is JSON of the wrong shape.
  public static func badJSON(_ message: Text) -> MatrixError { MatrixError(.badJSON, message) }

  /// Makes a 400: a parameter is absent.
  public static func missingParam(_ message: Text) -> MatrixError { MatrixError(.missingParam, message) }

  /// Makes a 400: a parameter has a value that is not allowed.
  public static func invalidParam(_ message: Text) -> MatrixError { MatrixError(.invalidParam, message) }

  /// Makes a 401: the request has no access token.
  public static func missingToken(_ message: Text = "Missing access token") -> MatrixError {
    MatrixError(.missingToken, message)
  }

  /// Makes a 413: a body or an event is too large.
  public static func tooLarge(_ message: Text) -> MatrixError { MatrixError(.tooLarge, message) }

  /// Makes a 400: the user name is taken.
  public static func userInUse(_ message: Text = "User ID is already taken.") -> MatrixError {
    MatrixError(.userInUse, message)
  }

  /// Makes a 400: the user name is not allowed.
  public static func invalidUsername(_ message: Text) -> MatrixError { MatrixError(.invalidUsername, message) }

  /// Makes a 403: guests may not do this.
  public static func guestAccessForbidden(_ message: Text = "Guest access is not allowed.") -> MatrixError {
    MatrixError(.guestAccessForbidden, message)
  }

  /// Makes a 400: the room version is not supported.
  public static func unsupportedRoomVersion(_ message: Text = "The room version is not supported by this server.")
    -> MatrixError
  {
    MatrixError(.unsupportedRoomVersion, message)
  }

  /// Makes a 403: an administrator has not approved the account yet (MSC3866).
  public static func awaitingApproval(_ message: Text) -> MatrixError {
    MatrixError(.userAwaitingApproval, message, extras: ["approval_notice_medium": "org.matrix.msc3866.none"])
  }

  /// Makes a 401: an administrator has locked the account; the client keeps its data.
  public static func userLocked(_ message: Text = "User account has been locked") -> MatrixError {
    MatrixError(.userLocked, message, extras: ["soft_logout": .bool(true)])
  }

  /// Makes a 401: the access token is not known.
  /// - Parameter softLogout: informs the client that it may keep its local data and log in again.
  public static func unknownToken(
    _ message: Text = "Invalid access token passed.", softLogout: Bool = false
  ) -> MatrixError {
    MatrixError(.unknownToken, message, extras: ["soft_logout": .bool(softLogout)])
  }

  /// Makes a 429: the client is too fast.
  /// - Parameter retryAfterMilliseconds: when it may try again.
  public static func limitExceeded(
    _ message: Text = "Too Many Requests", retryAfterMilliseconds: Int64?
  ) -> MatrixError {
    MatrixError(.limitExceeded, message, retryAfterMilliseconds: retryAfterMilliseconds)
  }

  /// Makes a 400: the room has a version the joining server did not list.
  public static func incompatibleRoomVersion(
    _ message: Text = "Your homeserver does not support the features required to join this room", roomVersion: Text
  ) -> MatrixError {
    MatrixError(.incompatibleRoomVersion, message, extras: ["room_version": .string(roomVersion)])
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
    return MatrixError(.resourceLimitExceeded, message, extras: extras)
  }

  /// Makes an error without a code of its own.
  /// - Parameter status: 400 if the client is at fault, 500 if the server is.
  public static func unknown(_ message: Text, status: Int = 400) -> MatrixError {
    MatrixError(.unknown, message, status: status)
  }
}
