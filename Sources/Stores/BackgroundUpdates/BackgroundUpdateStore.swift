import MatrixPrimitives
import Postgres

/// The table `background_updates`: work on the database that is done in pieces while the server runs, by this server or a Synapse.
///
/// Whoever does a piece writes in the same transaction how far the work has come, so that another one can go on from there.
public final class BackgroundUpdateStore: Sendable {
  /// Work that is to be done.
  public struct Update: Sendable {
    /// The work's name, as Synapse has it.
    public let name: Text
    /// How far it has come.
    public let progress: [Text: JSON]
  }

  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Finds the first of some updates that is pending and whose turn it is; nil when there is none.
  public func next(of names: [Text]) async throws -> Update? {
    let rows = try await database.run(
      """
      SELECT b.update_name, b.progress_json FROM background_updates AS b
      WHERE b.update_name = ANY(\(names)::text[])
        AND NOT EXISTS (SELECT FROM background_updates AS d WHERE d.update_name = b.depends_on)
      ORDER BY b.ordering, b.update_name LIMIT 1
      """)
    return try rows.first.map { row in
      let (name, progress) = try row.decode(Text.self, SQLText.self)
      return Update(name: name, progress: try JSON.parse(progress.bytes).members ?? [:])
    }
  }

  /// Writes how far an update has come.
  static func enqueueProgress(_ progress: [Text: JSON], of name: Text, in txn: Transaction) {
    let text = Text(decoding: JSON.object(progress).encoded, as: UTF8.self)
    txn.enqueue("UPDATE background_updates SET progress_json = \(text) WHERE update_name = \(name)")
  }

  /// Removes an update that is done.
  static func enqueueEnd(of name: Text, in txn: Transaction) {
    txn.enqueue("DELETE FROM background_updates WHERE update_name = \(name)")
  }

  /// Removes an update that is done or not wanted.
  public func end(_ name: Text) async throws {
    _ = try await database.run("DELETE FROM background_updates WHERE update_name = \(name)")
  }
}
