import ByteText
import CLibPQ

/// The answers to statements that were sent together, up to one Sync.
struct PendingBatch {
  enum Step {
    /// A statement is being prepared; its text.
    case prepare(Text)
    /// A statement that was asked for.
    case statement
    /// A prepared statement is being dropped; its name.
    case deallocate(Text)
  }

  private(set) var steps: [Step] = []
  private var position = 0
  /// The results of the statements that were done, in order.
  private(set) var rows: [PostgresRows] = []
  /// The first thing that went wrong; the server skipped all that came after it.
  private(set) var error: PostgresError?

  mutating func append(_ step: Step) {
    steps.append(step)
  }

  mutating func fail(_ failure: PostgresError) {
    if error == nil { error = failure }
  }

  /// Takes one result and frees it. Returns true when it is the Sync that ends the batch.
  mutating func accept(_ result: OpaquePointer, _ statements: inout StatementCache) -> Bool {
    let status = PQresultStatus(result)
    if status == PGRES_PIPELINE_SYNC {
      PQclear(result)
      return true
    }
    // More results than statements can only be libpq's own last words about a broken connection.
    let step = position < steps.count ? steps[position] : nil
    position += 1
    switch status {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
      if case .statement = step { rows.append(PostgresRows(ResultHandle(result))) } else { PQclear(result) }
    default:
      switch step {
      case .prepare(let text): statements.forget(text)
      case .deallocate(let name): if status == PGRES_PIPELINE_ABORTED { statements.putBack(name) }
      case .statement, nil: break
      }
      if case .deallocate = step {
      } else if status != PGRES_PIPELINE_ABORTED {
        fail(status == PGRES_FATAL_ERROR ? PostgresError(result: result) : .unsupportedReply)
      }
      PQclear(result)
    }
    return false
  }
}

extension PostgresError {
  fileprivate static let unsupportedReply = PostgresError(
    code: .invalidParameter, message: "the statement answers in a way that is not supported, such as COPY")
}
