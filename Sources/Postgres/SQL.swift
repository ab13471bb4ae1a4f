import ByteText

/// The text of one SQL statement together with the values that travel beside it.
///
/// Written as a string literal, every interpolated value becomes a bind and never part of the text:
///
/// ```swift
/// let sql: SQL = "SELECT name FROM users WHERE name = \(name) AND deactivated = \(0)"
/// ```
///
/// Binds are sent in text form without a type, so PostgreSQL infers it from the context. Where it cannot, write a cast:
/// `\(ids)::bigint[]`, `unnest(\(names)::text[], \(levels)::bigint[])`.
public struct SQL: ExpressibleByStringInterpolation, Sendable {
  /// The mark in ``text`` where a bind goes. PostgreSQL refuses it in a statement, so it cannot mean anything else.
  static let placeholder: Text = "\u{0}"

  /// The statement with a NUL for every bind; the key of the prepared statement cache.
  private(set) var text: Text
  /// The values, in the order of their places in ``text``.
  private(set) var binds: [SQLValue]
  /// Whether the statement is parsed anew every time instead of being kept prepared.
  private(set) var isUncached = false
  /// The error for which a division by zero in this statement stands.
  private(set) var refusal: (any Error)?

  /// Makes a statement without binds.
  public init(stringLiteral value: String) {
    text = Text(value)
    binds = []
  }

  /// Makes a statement from a literal with interpolations.
  public init(stringInterpolation: Interpolation) {
    self = stringInterpolation.sql
  }

  /// Makes a statement without binds from text that is known when the program is compiled.
  public init(verbatim: StaticString) {
    text = Text(verbatim.description)
    binds = []
  }

  /// Returns a statement that fails with a division by zero, which stands for the error, unless the condition is true.
  static func requirement(_ condition: SQL, otherwise refusal: any Error) -> SQL {
    var sql: SQL = "SELECT 1 / COALESCE((\(condition)), false)::int"
    sql.refusal = refusal
    return sql
  }

  /// Joins two pieces; the binds of the right one come after those of the left one.
  public static func + (left: SQL, right: SQL) -> SQL {
    left.appending(right)
  }

  /// Appends a piece in place.
  public static func += (left: inout SQL, right: SQL) {
    left.append(right)
  }

  /// Returns this statement followed by another piece.
  public func appending(_ other: SQL) -> SQL {
    var result = self
    result.append(other)
    return result
  }

  /// Appends a piece of SQL with its binds.
  public mutating func append(_ other: SQL) {
    text.append(other.text)
    binds.append(contentsOf: other.binds)
  }

  /// Returns the same statement, not to be kept prepared. For text that will hardly come again, such as DDL.
  public func uncached() -> SQL {
    var result = self
    result.isUncached = true
    return result
  }

  /// The text that PostgreSQL is given: `$1`, `$2`, … in the places of the binds.
  public var rendered: Text {
    guard !binds.isEmpty else { return text }
    var result = ""
    result.reserveCapacity(text.utf8.count + binds.count * 3)
    var number = 0
    for scalar in text.unicodeScalars {
      if scalar.value == 0 {
        number += 1
        result.append("$\(number)")
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return Text(result)
  }

  fileprivate mutating func appendText(_ piece: Text) {
    text.append(piece)
  }

  fileprivate mutating func appendBind(_ value: SQLValue) {
    text.append(Self.placeholder)
    binds.append(value)
  }

  fileprivate mutating func reserve(text count: Int, binds bindCount: Int) {
    text.reserveCapacity(count)
    binds.reserveCapacity(bindCount)
  }

  /// The literal parts and the binds of an interpolated statement.
  public struct Interpolation: StringInterpolationProtocol {
    fileprivate var sql = SQL(stringLiteral: "")

    /// Starts an empty statement with room for its parts.
    public init(literalCapacity: Int, interpolationCount: Int) {
      sql.reserve(text: literalCapacity + interpolationCount, binds: interpolationCount)
    }

    /// Appends a part of the literal as it stands.
    public mutating func appendLiteral(_ literal: String) {
      sql.appendText(Text(literal))
    }

    /// Appends a value as a bind.
    public mutating func appendInterpolation(_ value: some SQLBindable) {
      sql.appendBind(value.sqlValue)
    }

    /// Appends an optional value as a bind; nil becomes NULL.
    public mutating func appendInterpolation<T: SQLBindable>(_ value: T?) {
      sql.appendBind(value?.sqlValue ?? .null)
    }

    /// Appends a text as a bind that is unknown to the planner, so that one plan soon serves all values.
    ///
    /// A prepared statement is planned for its values each time, as long as such plans look cheaper than one for any values;
    /// with many joins that takes longer than to run it. What a subquery returns has no value yet when plans are made.
    public mutating func appendInterpolation(unseen value: Text) {
      sql.appendText("(SELECT ")
      appendInterpolation(value)
      sql.appendText("::text)")
    }

    /// Appends texts as the array of an `= ANY(…)`, unknown to the planner: it reckons with ten.
    public mutating func appendInterpolation(unseen values: [Text]) {
      sql.appendText("(SELECT ")
      appendInterpolation(values)
      sql.appendText("::text[])::text[]")
    }

    /// Appends another piece of SQL together with its binds.
    public mutating func appendInterpolation(_ piece: SQL) {
      sql.append(piece)
    }

    /// Appends text that is known when the program is compiled, for example one of two operators.
    public mutating func appendInterpolation(verbatim: StaticString) {
      sql.appendText(Text(verbatim.description))
    }

    /// Appends the name of a table, column or sequence, quoted so that it cannot be read as anything else.
    public mutating func appendInterpolation(identifier: Text) {
      sql.appendText(
        "\""
          + identifier.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false).joined(separator: "\"\"")
          + "\"")
    }
  }
}

extension Sequence where Element == SQL {
  /// Joins pieces of SQL with a separator, for example `", "` or `" AND "`.
  public func joined(separator: SQL) -> SQL {
    var result = SQL(stringLiteral: "")
    var isFirst = true
    for piece in self {
      if !isFirst { result.append(separator) }
      isFirst = false
      result.append(piece)
    }
    return result
  }
}
