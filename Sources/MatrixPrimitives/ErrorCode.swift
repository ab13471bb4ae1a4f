/// The `errcode` of an error, with the status it usually has.
///
/// Codes are equal when their spelling is. All that this server answers stand here and in `ErrorCode+Endpoints.swift`;
/// `Deploy/lint/words.py` refuses their spelling elsewhere.
public struct ErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The spelling on the wire, such as `M_FORBIDDEN`.
  public let rawValue: Text
  /// The status of an error that names no other.
  public let defaultStatus: Int

  /// Wraps a code from another process, which comes with its status.
  public init(rawValue: Text) { self.init(rawValue, 400) }

  init(_ rawValue: Text, _ defaultStatus: Int) {
    self.rawValue = rawValue
    self.defaultStatus = defaultStatus
  }

  /// The spelling on the wire.
  public var description: String { rawValue.string }

  /// Compares spellings.
  public static func == (left: ErrorCode, right: ErrorCode) -> Bool { left.rawValue == right.rawValue }

  /// Hashes the spelling.
  public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

/// Codes that any endpoint may answer: https://spec.matrix.org/latest/client-server-api/#common-error-codes
extension ErrorCode {
  /// JSON of the wrong shape.
  public static let badJSON = Self("M_BAD_JSON", 400)
  /// Something the caller may not do.
  public static let forbidden = Self("M_FORBIDDEN", 403)
  /// Too many requests.
  public static let limitExceeded = Self("M_LIMIT_EXCEEDED", 429)
  /// A request without an access token.
  public static let missingToken = Self("M_MISSING_TOKEN", 401)
  /// Something that does not exist.
  public static let notFound = Self("M_NOT_FOUND", 404)
  /// A body that is not JSON.
  public static let notJSON = Self("M_NOT_JSON", 400)
  /// A limit of the server's administrator.
  public static let resourceLimitExceeded = Self("M_RESOURCE_LIMIT_EXCEEDED", 403)
  /// An error without a code of its own; the status tells whose fault it is.
  public static let unknown = Self("M_UNKNOWN", 400)
  /// A device that an application service named and its user does not have.
  public static let unknownDevice = Self("M_UNKNOWN_DEVICE", 400)
  /// An access or refresh token that is not valid.
  public static let unknownToken = Self("M_UNKNOWN_TOKEN", 401)
  /// A path or a method without an endpoint.
  public static let unrecognized = Self("M_UNRECOGNIZED", 404)
  /// A limit of the user's account.
  public static let userLimitExceeded = Self("M_USER_LIMIT_EXCEEDED", 403)
  /// A locked account.
  public static let userLocked = Self("M_USER_LOCKED", 401)
  /// A suspended account.
  public static let userSuspended = Self("M_USER_SUSPENDED", 403)
}

/// Codes of several endpoints: https://spec.matrix.org/latest/client-server-api/#other-error-codes
extension ErrorCode {
  /// A change that does not fit the room's present state.
  public static let badState = Self("M_BAD_STATE", 403)
  /// The room of the server's notices.
  public static let cannotLeaveServerNoticeRoom = Self("M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", 403)
  /// A wrong solution of a captcha.
  public static let captchaInvalid = Self("M_CAPTCHA_INVALID", 401)
  /// A captcha that has to be solved first.
  public static let captchaNeeded = Self("M_CAPTCHA_NEEDED", 401)
  /// A name reserved by an application service.
  public static let exclusive = Self("M_EXCLUSIVE", 400)
  /// Something guests may not do.
  public static let guestAccessForbidden = Self("M_GUEST_ACCESS_FORBIDDEN", 403)
  /// A room of a version that the joining server did not list.
  public static let incompatibleRoomVersion = Self("M_INCOMPATIBLE_ROOM_VERSION", 400)
  /// A parameter with a value that is not allowed.
  public static let invalidParam = Self("M_INVALID_PARAM", 400)
  /// A new room's initial state that contradicts itself.
  public static let invalidRoomState = Self("M_INVALID_ROOM_STATE", 400)
  /// A user name that is not allowed.
  public static let invalidUsername = Self("M_INVALID_USERNAME", 400)
  /// A parameter that is absent.
  public static let missingParam = Self("M_MISSING_PARAM", 400)
  /// A new room's alias that is taken.
  public static let roomInUse = Self("M_ROOM_IN_USE", 400)
  /// An identity server that this server does not trust.
  public static let serverNotTrusted = Self("M_SERVER_NOT_TRUSTED", 400)
  /// An address whose owner did not confirm it.
  public static let threepidAuthFailed = Self("M_THREEPID_AUTH_FAILED", 403)
  /// An address that this server does not permit.
  public static let threepidDenied = Self("M_THREEPID_DENIED", 403)
  /// An address bound to another account.
  public static let threepidInUse = Self("M_THREEPID_IN_USE", 400)
  /// An address of a kind that this server does not bind.
  public static let threepidMediumNotSupported = Self("M_THREEPID_MEDIUM_NOT_SUPPORTED", 400)
  /// An address that no account has.
  public static let threepidNotFound = Self("M_THREEPID_NOT_FOUND", 400)
  /// A body or an event beyond its limit.
  public static let tooLarge = Self("M_TOO_LARGE", 413)
  /// A request that is not authenticated as it must be.
  public static let unauthorized = Self("M_UNAUTHORIZED", 401)
  /// A room version that this server does not know.
  public static let unsupportedRoomVersion = Self("M_UNSUPPORTED_ROOM_VERSION", 400)
  /// A closed account.
  public static let userDeactivated = Self("M_USER_DEACTIVATED", 403)
  /// A user name that is taken.
  public static let userInUse = Self("M_USER_IN_USE", 400)
}
