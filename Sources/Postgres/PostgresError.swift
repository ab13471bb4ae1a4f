import ByteText
import CLibPQ

/// A failure of the database, of the connection to it, or of reading what it answered.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure, so that callers need not read messages.
  public enum Code: Text, Sendable, Hashable {
    /// PostgreSQL refused a statement; see ``PostgresError/sqlState``.
    case server
    /// No connection could be made.
    case connectFailed
    /// The connection broke while work was under way; what was not committed is lost.
    case connectionLost
    /// The connection broke after COMMIT was sent and before it was answered: the work may or may not have been done.
    case commitOutcomeUnknown
    /// No connection became free in time, or too much is already waiting.
    case poolTimeout
    /// The task that waited for the answer was cancelled.
    case cancelled
    /// The client has been shut down.
    case shutDown
    /// A cell of a result is not of the type that was asked for.
    case decoding
    /// A statement or its values cannot be sent, for example because they are too many.
    case invalidParameter
    /// A text holds a NUL, which PostgreSQL cannot store.
    case unstorableText
  }

  /// What went wrong.
  public var code: Code
  /// PostgreSQL's five-character code, for example `23505`; only with ``Code/server`` and some lost connections.
  public var sqlState: Text?
  /// The message for the log; not for clients.
  public var message: Text
  /// PostgreSQL's further explanation.
  public var detail: Text?
  /// The name of the constraint that was violated.
  public var constraint: Text?
  /// The table that the error is about.
  public var table: Text?
  /// Whether a plan cached by the server no longer fits the tables; preparing anew mends it.
  var isStaleStatement = false
  /// The error for which the statement that failed stands; see ``Transaction/require(_:otherwise:)``.
  var refusal: (any Error)?

  /// Makes an error.
  public init(code: Code, message: Text, sqlState: Text? = nil, constraint: Text? = nil) {
    self.code = code
    self.message = message
    self.sqlState = sqlState
    self.constraint = constraint
  }

  /// Whether a unique or primary key constraint was violated (23505).
  public var isUniqueViolation: Bool { sqlState == "23505" }
  /// Whether a foreign key constraint was violated (23503).
  public var isForeignKeyViolation: Bool { sqlState == "23503" }
  /// Whether any constraint was violated (class 23).
  public var isIntegrityViolation: Bool { sqlState?.hasPrefix("23") ?? false }
  /// Whether a value is one that the database can never take: text with a NUL or of another encoding (22021, 22P05), a
  /// number out of range (22003), text that is too long for its column or an index (22001, 54000).
  public var refusesValue: Bool {
    if code == .unstorableText { return true }
    return ["22001", "22003", "22021", "22P05", "54000"].contains(sqlState)
  }
  /// Whether concurrent transactions collided, so that running this one again may succeed (40001, 40P01).
  public var isConflict: Bool { sqlState == "40001" || sqlState == "40P01" }

  /// Whether a lock was not to be had within `lock_timeout` (55P03).
  public var isLockTimeout: Bool { sqlState == "55P03" }
  /// Whether a statement divided by zero (22012).
  var isDivisionByZero: Bool { sqlState == "22012" }

  /// One line for the log.
  public var description: String {
    var text = "postgres \(code.rawValue)"
    if let sqlState { text += " \(sqlState)" }
    text += ": \(message)"
    if let detail { text += " (\(detail))" }
    return text
  }

  @usableFromInline
  static func unexpectedNull(column: Int) -> PostgresError {
    PostgresError(code: .decoding, message: "column \(column): unexpected NULL")
  }

  static func connectionLost(_ raw: OpaquePointer) -> PostgresError {
    PostgresError(code: .connectionLost, message: Self.lastMessage(of: raw))
  }

  /// Returns libpq's last message about a connection on one line.
  static func lastMessage(of raw: OpaquePointer) -> Text {
    guard let message = PQerrorMessage(raw) else { return "no message" }
    let lines = Text(cString: message).lines
    return lines.isEmpty ? "the connection is closed" : lines.joined(separator: " ")
  }

  /// Reads the fields of a failed result.
  init(result: OpaquePointer) {
    func field(_ code: Int) -> Text? {
      PQresultErrorField(result, Int32(code)).map { Text(cString: $0) }
    }
    let state = field(CLIBPQ_DIAG_SQLSTATE)
    let primary = field(CLIBPQ_DIAG_MESSAGE_PRIMARY)
    // Results that libpq makes up itself, for a connection that broke, bear no code.
    let endsConnection = state.map { $0.hasPrefix("57P") || $0.hasPrefix("08") } ?? true
    code = endsConnection ? .connectionLost : .server
    sqlState = state
    message =
      primary
      ?? PQresultErrorMessage(result).map {
        Text(cString: $0).lines.joined(separator: " ")
      } ?? "no message"
    detail = field(CLIBPQ_DIAG_MESSAGE_DETAIL)
    constraint = field(CLIBPQ_DIAG_CONSTRAINT_NAME)
    table = field(CLIBPQ_DIAG_TABLE_NAME)
    // The function's name is the only sign of "cached plan must not change result type" that is never translated.
    isStaleStatement =
      state == "26000"
      || (state == "0A000" && field(CLIBPQ_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery")
  }
}
