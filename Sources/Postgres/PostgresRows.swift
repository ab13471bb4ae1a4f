import ByteText
import CLibPQ

/// The owner of a `PGresult`, which libpq never changes once it is complete, so that threads may share it.
@usableFromInline
final class ResultHandle: @unchecked Sendable {
  private let raw: OpaquePointer
  @usableFromInline let rowCount: Int
  @usableFromInline let columnCount: Int

  init(_ raw: OpaquePointer) {
    self.raw = raw
    rowCount = Int(PQntuples(raw))
    columnCount = Int(PQnfields(raw))
  }

  deinit {
    PQclear(raw)
  }

  var affectedRows: Int {
    guard PQresultStatus(raw) == PGRES_COMMAND_OK else { return rowCount }
    return PQcmdTuples(raw).flatMap { Int(Text(cString: $0)) } ?? 0
  }

  var commandTag: Text {
    PQcmdStatus(raw).map { Text(cString: $0) } ?? ""
  }

  func columnName(_ column: Int) -> Text? {
    PQfname(raw, Int32(column)).map { Text(cString: $0) }
  }

  /// Lends the bytes of a cell. Row and column must have been checked; the handle must be kept alive meanwhile.
  @usableFromInline
  func cell(row: Int, column: Int) -> SQLCell {
    let row = Int32(truncatingIfNeeded: row)
    let number = Int32(truncatingIfNeeded: column)
    guard PQgetisnull(raw, row, number) == 0 else { return SQLCell(bytes: nil, column: column) }
    let count = Int(PQgetlength(raw, row, number))
    return SQLCell(bytes: UnsafeRawBufferPointer(start: PQgetvalue(raw, row, number), count: count), column: column)
  }
}

/// The rows that a statement returned. Cheap to copy; the memory is freed with the last copy or row.
public struct PostgresRows: Sendable, RandomAccessCollection {
  let handle: ResultHandle

  init(_ handle: ResultHandle) {
    self.handle = handle
  }

  /// The number of rows that were inserted, updated, deleted or returned.
  public var affectedRows: Int { handle.affectedRows }
  /// The names of the columns.
  public var columnNames: [Text] { (0..<handle.columnCount).map { handle.columnName($0) ?? "" } }
  /// The position of the first row.
  public var startIndex: Int { 0 }
  /// The position after the last row.
  public var endIndex: Int { handle.rowCount }

  /// Returns a row.
  public subscript(position: Int) -> PostgresRow {
    precondition(position >= 0 && position < handle.rowCount, "row \(position) of \(handle.rowCount)")
    return PostgresRow(handle: handle, row: position)
  }
}

/// The columns of one row.
public struct PostgresRow: Sendable {
  @usableFromInline let handle: ResultHandle
  @usableFromInline let row: Int

  /// Reads all columns from the left: `let (name, level) = try row.decode(String.self, Int64?.self)`.
  ///
  /// - Throws: `PostgresError` with code `decoding` when a column is missing or is not of the type.
  @inlinable
  public func decode<each T: SQLDecodable>(_ types: repeat (each T).Type) throws(PostgresError) -> (repeat each T) {
    var column = 0
    func next<Value: SQLDecodable>(_ type: Value.Type) throws(PostgresError) -> Value {
      let value = try get(column, as: type)
      column += 1
      return value
    }
    return (repeat try next((each T).self))
  }

  /// Reads one column.
  ///
  /// - Parameter column: The number of the column, from 0.
  /// - Throws: `PostgresError` with code `decoding` when there is no such column or it is not of the type.
  @inlinable
  public func get<T: SQLDecodable>(_ column: Int, as type: T.Type = T.self) throws(PostgresError) -> T {
    guard column >= 0, column < handle.columnCount else {
      throw PostgresError(code: .decoding, message: "column \(column) of \(handle.columnCount)")
    }
    defer { withExtendedLifetime(handle) {} }
    return try T(sqlCell: handle.cell(row: row, column: column))
  }
}
