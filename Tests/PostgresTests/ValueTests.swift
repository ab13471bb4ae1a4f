import ByteText
import Postgres
import SeededNumbers
import TestSupport
import Testing

@Suite struct ValueTests {
  /// Sends a value through the server and reads it back.
  private func roundTrip<T: SQLBindable & SQLDecodable & Sendable>(_ value: T, _ cast: SQL) async throws -> T {
    let client = try await Self.client.value
    return try await client.run("SELECT \(value)::\(cast)")[0].get(0)
  }

  private static let client = Task { try await TestDatabase.scratch().client }

  @Test(arguments: ["", "plain", "quote ' \" \\ {},NULL", "žluťoučký 🐎", "\u{1}\u{7f}\n\t"])
  func textReturnsAsItWas(text: Text) async throws {
    #expect(try await roundTrip(text, "text") == text)
    #expect(try await roundTrip([text, "x", text], "text[]") == [text, "x", text])
    #expect(try await roundTrip([text, nil], "text[]") == [text, nil])
    #expect(try await roundTrip(SQLText(bytes: Array(text.utf8)), "text").bytes == Array(text.utf8))
  }

  @Test(arguments: [Int64.min, .min + 1, -1, 0, 1, 42, .max - 1, .max])
  func integersReturnAsTheyWere(number: Int64) async throws {
    #expect(try await roundTrip(number, "bigint") == number)
    #expect(try await roundTrip([number, 0], "bigint[]") == [number, 0])
    #expect(try await roundTrip([number, nil], "bigint[]") == [number, nil])
  }

  @Test(arguments: [[], [0], [0x5c, 0x78, 0, 255], Array(UInt8.min...UInt8.max)] as [[UInt8]])
  func bytesReturnAsTheyWere(bytes: [UInt8]) async throws {
    #expect(try await roundTrip(bytes, "bytea") == bytes)
    #expect(try await roundTrip([bytes, [1], bytes], "bytea[]") == [bytes, [1], bytes])
  }

  @Test(arguments: [0.0, -0.5, 1e300, .leastNonzeroMagnitude, .infinity, -.infinity, 0.1])
  func doublesReturnAsTheyWere(number: Double) async throws {
    #expect(try await roundTrip(number, "double precision") == number)
    #expect(try await roundTrip([number], "double precision[]") == [number])
  }

  @Test func booleansAndNullsReturnAsTheyWere() async throws {
    #expect(try await roundTrip(true, "boolean") == true)
    #expect(try await roundTrip([true, false], "boolean[]") == [true, false])
    #expect(try await roundTrip(nil as Text?, "text") == nil)
    #expect(try await roundTrip(nil as Int64?, "bigint") == nil)
    #expect(try await roundTrip(nil as [UInt8]?, "bytea") == nil)
    #expect(try await roundTrip([Text](), "text[]") == [])
    #expect(try await roundTrip(Int32.min, "integer") == .min)
    #expect(try await roundTrip(-7, "bigint") == -7)
  }

  /// One name of many is found by an index, which a plan for an unknown number of names reckons to cost more.
  @Test(arguments: [false, true]) func onePlanServesAllTextsThatAreUnseen(isUnseen: Bool) async throws {
    let client = try await Self.client.value
    let (found, plans) = try await client.transaction("unseen") { txn in
      txn.enqueue(
        "CREATE TEMPORARY TABLE named ON COMMIT DROP AS SELECT n::text AS name FROM generate_series(1, 20000) AS n")
      txn.enqueue("CREATE UNIQUE INDEX ON named (name)")
      txn.enqueue("ANALYZE named")
      var found: [[Text]] = []
      for number in 1...8 {
        let names = ["\(number)"]
        let rows = try txn.query(
          isUnseen
            ? "SELECT name FROM named WHERE name = ANY(\(unseen: names))"
            : "SELECT name FROM named WHERE name = ANY(\(names)::text[])")
        found.append(try rows.map { try $0.get(0, as: Text.self) })
      }
      let plans = try txn.query(
        """
        SELECT sum(generic_plans)::bigint FROM pg_prepared_statements
        WHERE statement LIKE 'SELECT name FROM named%' AND (statement LIKE '%(SELECT $1%') = \(isUnseen)::boolean
        """)
      return (found, try plans[0].get(0, as: Int64.self))
    }
    #expect(found == (1...8).map { ["\($0)"] })
    #expect((plans > 0) == isUnseen)
  }

  @Test func aFlagStoredAsANumberReadsAsBool() async throws {
    let client = try await Self.client.value
    let row = try await client.run("SELECT 1::smallint, 0::integer, 2::integer")[0]
    #expect(try row.get(0, as: Bool.self))
    #expect(try row.get(1, as: Bool.self) == false)
    #expect(throws: PostgresError.self) { try row.get(2, as: Bool.self) }
  }

  @Test func mismatchesThrowAndNeverTrap() async throws {
    let client = try await Self.client.value
    let row = try await client.run(
      "SELECT NULL::text, 'abc', '99999999999999999999', '', '-', '{1,{2}}', '[0:1]={1,2}', '3000000000', '9223372036854775808'"
    )[0]
    let attempts: [(Int, (PostgresRow, Int) throws(PostgresError) -> Void)] = [
      (0, { row, at throws(PostgresError) in _ = try row.get(at, as: Text.self) }),
      (0, { row, at throws(PostgresError) in _ = try row.get(at, as: [Int64].self) }),
      (1, { row, at throws(PostgresError) in _ = try row.get(at, as: Int64.self) }),
      (1, { row, at throws(PostgresError) in _ = try row.get(at, as: Double.self) }),
      (1, { row, at throws(PostgresError) in _ = try row.get(at, as: [UInt8].self) }),
      (1, { row, at throws(PostgresError) in _ = try row.get(at, as: [Text].self) }),
      (2, { row, at throws(PostgresError) in _ = try row.get(at, as: Int.self) }),
      (3, { row, at throws(PostgresError) in _ = try row.get(at, as: Int64.self) }),
      (3, { row, at throws(PostgresError) in _ = try row.get(at, as: Bool.self) }),
      (4, { row, at throws(PostgresError) in _ = try row.get(at, as: Int64.self) }),
      (5, { row, at throws(PostgresError) in _ = try row.get(at, as: [Int64].self) }),
      (6, { row, at throws(PostgresError) in _ = try row.get(at, as: [Int64].self) }),
      (7, { row, at throws(PostgresError) in _ = try row.get(at, as: Int32.self) }),
      (8, { row, at throws(PostgresError) in _ = try row.get(at, as: Int64.self) }),
      (9, { row, at throws(PostgresError) in _ = try row.get(at, as: Text.self) }),
      (-1, { row, at throws(PostgresError) in _ = try row.get(at, as: Text.self) }),
    ]
    for (column, attempt) in attempts {
      let error = #expect(throws: PostgresError.self) { try attempt(row, column) }
      #expect(error?.code == .decoding)
    }
    #expect(throws: PostgresError.self) {
      try client.configuration.maximumConnections > 0 ? row.decode(Text?.self, Int.self) : (nil, 0)
    }
  }

  @Test func randomArrayTextIsReadOrRefused() async throws {
    let client = try await Self.client.value
    var generator = SeededRandom(94)
    let alphabet = Array("{}\",\\aN U1é" as String)
    let texts = (0..<400).map { _ in
      "{"
        + Text(
          String(
            (0..<Int.random(in: 0...12, using: &generator)).compactMap { _ in alphabet.randomElement(using: &generator)
            }))
        + "}"
    }
    let rows = try await client.run("SELECT unnest(\(texts)::text[])")
    for row in rows {
      if let elements = try? row.get(0, as: [Text?].self) {
        #expect(try await roundTrip(elements, "text[]") == elements)
      }
      _ = try? row.get(0, as: [Int64].self)
      _ = try? row.get(0, as: [UInt8].self)
      _ = try? row.get(0, as: Bool.self)
    }
  }

  @Test func textWithANULIsRefusedBeforeItIsSent() async throws {
    let client = try await Self.client.value
    let error = await #expect(throws: PostgresError.self) { try await client.run("SELECT \("a\u{0}b")::text") }
    #expect(error?.code == .unstorableText)
    let error2 = await #expect(throws: PostgresError.self) {
      try await client.transaction("nul") { try $0.query("SELECT \(["a\u{0}b"])::text[]") }
    }
    #expect(error2?.code == .unstorableText)
    #expect(try await client.transaction("after") { try $0.query("SELECT 5")[0].get(0, as: Int.self) } == 5)
  }

  @Test func nestedPiecesKeepTheirBindsInOrder() async throws {
    let client = try await Self.client.value
    let middle: SQL = "\(2)::bigint, \("two")::text"
    let sql: SQL = "SELECT \(1)::bigint, \(middle), \(3)::bigint" + ", \("four")::text"
    #expect(sql.rendered == "SELECT $1::bigint, $2::bigint, $3::text, $4::bigint, $5::text")
    let row = try await client.run(sql)[0].decode(Int.self, Int.self, Text.self, Int.self, Text.self)
    #expect(row == (1, 2, "two", 3, "four"))
    let list = [1, 2, 3].map { "\($0)::bigint" as SQL }.joined(separator: " + ")
    #expect(try await client.run("SELECT \(list)")[0].get(0, as: Int.self) == 6)
  }

  @Test func identifiersAreQuoted() async throws {
    let sql: SQL = "SELECT * FROM \(identifier: "we\"ird")"
    #expect(sql.rendered == "SELECT * FROM \"we\"\"ird\"")
  }
}
