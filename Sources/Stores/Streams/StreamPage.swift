import Postgres
import Replication

/// The cut of a catch-up query's answer into a page that never divides the rows of one token.
enum StreamPage {
  typealias Row = (token: Int64, row: StreamRow)

  /// Reads pages of growing size until one holds at least one whole token.
  ///
  /// - Parameters:
  ///   - to: the upper bound asked for; the page is complete up to it unless the limit cuts it.
  ///   - limit: the number of rows to aim at, at least 1.
  ///   - fetch: reads at most the given number of rows, ordered by token.
  static func read(to: Int64, limit: Int, fetch: (Int) async throws -> [Row]) async throws -> StreamUpdates {
    var size = max(limit, 1)
    while true {
      let rows = try await fetch(size)
      guard rows.count >= size, let last = rows.last?.token else {
        return StreamUpdates(rows: rows, upTo: to, limited: false)
      }
      // The last token may have more rows than fitted.
      let whole = rows.prefix { $0.token < last }
      if let end = whole.last?.token { return StreamUpdates(rows: Array(whole), upTo: end, limited: true) }
      size *= 10
    }
  }
}
