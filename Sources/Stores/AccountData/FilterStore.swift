import MatrixPrimitives
import Postgres
import StorageEngine

/// The filters that clients uploaded (`user_filters`); a filter never changes once it has its number.
public final class FilterStore: Sendable {
  private struct Key: Hashable, Sendable {
    let user: UserID
    let filterID: Int64
  }

  /// The greatest number of a user's filters: they are never deleted, and a client needs a few.
  private static let mostFilters = 5_000

  private let database: PostgresClient
  private let cache: Cache<Key, JSONValue?>

  init(_ context: StoreContext) {
    database = context.database
    cache = context.caches.cache("get_user_filter", byteBudget: 4 << 20) { 256 + ($1?.raw.count ?? 0) * 3 }
  }

  /// Returns a filter, or nil when the user has none of that number.
  public func filter(_ filterID: Int64, of user: UserID) async throws -> JSONValue? {
    let database = self.database
    let key = Key(user: user, filterID: filterID)
    let found = try await cache.value(key) { () async throws -> JSONValue? in
      let rows = try await database.run(
        "SELECT filter_json FROM user_filters WHERE full_user_id = \(user.rawValue) AND filter_id = \(filterID)")
      guard let row = rows.first else { return nil }
      return try JSONValue.parse(try row.get(0, as: [UInt8].self))
    }
    // Another process may add the number that was just asked for in vain.
    if found == nil { cache.invalidate(key) }
    return found
  }

  /// Stores a filter and returns its number; a filter that is equal to an earlier one gets the earlier number.
  ///
  /// - Throws: 400 when the user has too many.
  public func add(_ filter: JSONValue, for user: UserID) async throws -> Int64 {
    let json = try CanonicalJSON.encode(filter, strict: false)
    for attempt in 1...5 {
      do {
        return try await database.transaction("add_user_filter") { try Self.insert($0, json, user) }
      } catch let error as PostgresError where error.isUniqueViolation && attempt < 5 {
        continue  // two devices of the user took the same number: the next attempt sees the other's row
      }
    }
    throw MatrixError.unknown("Couldn't generate a filter ID.", status: 500)
  }

  private static func insert(_ txn: Transaction, _ json: [UInt8], _ user: UserID) throws -> Int64 {
    let answers = try txn.pipeline([
      "SELECT filter_id FROM user_filters WHERE full_user_id = \(user.rawValue) AND filter_json = \(json)",
      "SELECT COALESCE(MAX(filter_id) + 1, 0) FROM user_filters WHERE full_user_id = \(user.rawValue)",
    ])
    if let existing = answers.first?.first { return try existing.get(0) }
    guard let next = try answers.last?.first?.get(0, as: Int64.self) else { throw StreamIDMissing() }
    // Numbers are given without gaps, so the next one is the count.
    guard next < mostFilters else {
      throw MatrixError.unknown("There are too many filters (at most \(mostFilters))", status: 400)
    }
    txn.enqueue(
      """
      INSERT INTO user_filters (full_user_id, user_id, filter_id, filter_json)
      VALUES (\(user.rawValue), \(user.localpart), \(next), \(json))
      """)
    return next
  }
}
