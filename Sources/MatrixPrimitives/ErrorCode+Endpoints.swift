/// Codes that the specification gives to single endpoints.
extension ErrorCode {
  /// A login that application services cannot use here.
  /// https://spec.matrix.org/latest/application-service-api/#server-admin-style-permissions
  public static let appserviceLoginUnsupported = Self("M_APPSERVICE_LOGIN_UNSUPPORTED", 400)
  /// An alias that is malformed or points elsewhere.
  /// https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
  public static let badAlias = Self("M_BAD_ALIAS", 400)
  /// An application service that answered a ping with an error.
  /// https://spec.matrix.org/latest/application-service-api/#post_matrixclientv1appserviceappserviceidping
  public static let badStatus = Self("M_BAD_STATUS", 502)
  /// A media id that has content.
  /// https://spec.matrix.org/latest/client-server-api/#put_matrixmediav3uploadservernamemediaid
  public static let cannotOverwriteMedia = Self("M_CANNOT_OVERWRITE_MEDIA", 409)
  /// An application service that a ping did not reach.
  /// https://spec.matrix.org/latest/application-service-api/#post_matrixclientv1appserviceappserviceidping
  public static let connectionFailed = Self("M_CONNECTION_FAILED", 502)
  /// An application service that did not answer a ping in time.
  /// https://spec.matrix.org/latest/application-service-api/#post_matrixclientv1appserviceappserviceidping
  public static let connectionTimeout = Self("M_CONNECTION_TIMEOUT", 504)
  /// A second annotation of one event with one key by one user.
  /// https://spec.matrix.org/latest/client-server-api/#avoiding-duplicate-annotations
  public static let duplicateAnnotation = Self("M_DUPLICATE_ANNOTATION", 400)
  /// A signature of a key that does not verify.
  /// https://spec.matrix.org/latest/client-server-api/#post_matrixclientv3keysdevice_signingupload
  public static let invalidSignature = Self("M_INVALID_SIGNATURE", 400)
  /// An invitation that the invited user does not want.
  /// https://spec.matrix.org/latest/client-server-api/#invite-permission
  public static let inviteBlocked = Self("M_INVITE_BLOCKED", 403)
  /// A profile field with too long a name.
  /// https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3profileuseridkeyname
  public static let keyTooLarge = Self("M_KEY_TOO_LARGE", 400)
  /// A media id that is reserved and has no content yet.
  /// https://spec.matrix.org/latest/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid
  public static let notYetUploaded = Self("M_NOT_YET_UPLOADED", 504)
  /// A profile beyond its limit.
  /// https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3profileuseridkeyname
  public static let profileTooLarge = Self("M_PROFILE_TOO_LARGE", 400)
  /// A restricted join that this server cannot check.
  /// https://spec.matrix.org/latest/server-server-api/#restricted-rooms
  public static let unableToAuthoriseJoin = Self("M_UNABLE_TO_AUTHORISE_JOIN", 400)
  /// A restricted join that no user of this server may grant.
  /// https://spec.matrix.org/latest/server-server-api/#restricted-rooms
  public static let unableToGrantJoin = Self("M_UNABLE_TO_GRANT_JOIN", 400)
  /// A ping of an application service without an address.
  /// https://spec.matrix.org/latest/application-service-api/#post_matrixclientv1appserviceappserviceidping
  public static let urlNotSet = Self("M_URL_NOT_SET", 400)
  /// A password that breaks the policy.
  /// https://spec.matrix.org/latest/client-server-api/#post_matrixclientv3register
  public static let weakPassword = Self("M_WEAK_PASSWORD", 400)
  /// A key backup that is not the current one.
  /// https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3room_keyskeys
  public static let wrongRoomKeysVersion = Self("M_WRONG_ROOM_KEYS_VERSION", 403)
}

/// Codes of proposals.
extension ErrorCode {
  /// A connection of sliding sync that has to begin anew (MSC4186).
  public static let unknownPosition = Self("M_UNKNOWN_POS", 400)
  /// A password that is too short (MSC2000).
  public static let passwordTooShort = Self("M_PASSWORD_TOO_SHORT", 400)
  /// A password without a digit (MSC2000).
  public static let passwordNoDigit = Self("M_PASSWORD_NO_DIGIT", 400)
  /// A password without a symbol (MSC2000).
  public static let passwordNoSymbol = Self("M_PASSWORD_NO_SYMBOL", 400)
  /// A password without a capital letter (MSC2000).
  public static let passwordNoUppercase = Self("M_PASSWORD_NO_UPPERCASE", 400)
  /// A password without a small letter (MSC2000).
  public static let passwordNoLowercase = Self("M_PASSWORD_NO_LOWERCASE", 400)
  /// The event was to be sent later than the server allows (MSC4140).
  public static let delayTooLarge = Self("ORG.MATRIX.MSC4140_DELAY_TOO_LARGE", 400)
  /// A text of a rendezvous channel that somebody else has replaced before (MSC4108), beside another code.
  public static let concurrentWrite = Self("M_CONCURRENT_WRITE", 412)
  /// A text of a rendezvous channel that somebody else has replaced before (MSC4388).
  public static let rendezvousConflict = Self("IO_ELEMENT_MSC4388_CONCURRENT_WRITE", 409)
  /// An account that an administrator has not approved yet (MSC3866).
  public static let userAwaitingApproval = Self("ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL", 403)
  /// A subscription of a thread that a client makes by itself, though the user has ended one since (MSC4306).
  public static let conflictingUnsubscription = Self("IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION", 409)
  /// An event that is not in the thread (MSC4306).
  public static let notInThread = Self("IO.ELEMENT.MSC4306.M_NOT_IN_THREAD", 400)
}
