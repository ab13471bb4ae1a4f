import EndpointKit
import Foundation
import MatrixPrimitives
import Testing

/// The router, the endpoints' metadata and the list of what Synapse serves agree.
///
/// `MYELIN_WRITE_ENDPOINTS=1` writes the states that hold into the list instead of complaining.
@Suite struct SynapseEndpointsTests {
  /// What switches on every row of the list that has a setting, as far as the setting is understood here.
  private static let everything: Text = """
    login_via_existing_session: {enabled: true}
    federation_whitelist_endpoint_enabled: true
    experimental_features:
      msc3391_enabled: true
      msc3720_enabled: true
      msc3814_enabled: true
      msc4108_enabled: true
      msc4133_enabled: true
      msc4143_enabled: true
      msc4306_enabled: true
      msc4388_mode: open
    """

  private static let isWriting = ProcessInfo.processInfo.environment["MYELIN_WRITE_ENDPOINTS" as String] != nil

  /// Returns a path of a pattern.
  private static func path(_ pattern: PathPattern) -> Text {
    pattern.segments.map { segment -> Text in
      switch segment {
      case .literal(let text): "/\(text)"
      case .parameter: "/x"
      case .rest: "/global/override/x"
      }
    }.joined()
  }

  /// Which paths of a row a server answers: there is an endpoint, and it does not say that it is switched off.
  private static func answered(_ row: SynapseEndpointList.Row, by server: TestServer) async throws -> [Bool] {
    var found: [Bool] = []
    for path in row.patterns.map(path) {
      guard server.endpoint(row.method, path) != nil else {
        found.append(false)
        continue
      }
      guard row.setting != nil else {
        found.append(true)
        continue
      }
      let answer = try await server.call(row.method, path, "{}", as: try await server.register())
      found.append(answer.errcode != "M_UNRECOGNIZED")
    }
    return found
  }

  /// Returns what holds of a row, from what answers it with and without the settings; nil when some of its paths are
  /// answered and some are not.
  private static func state(_ row: SynapseEndpointList.Row, _ plain: [Bool], _ full: [Bool])
    -> SynapseEndpointList.State?
  {
    if case .added = row.state, full.allSatisfy({ $0 }) { return row.state }
    if plain.allSatisfy({ $0 }) { return row.setting == nil ? .served : .servedAlways }
    if full.allSatisfy({ $0 }), !plain.contains(true) { return .served }
    guard !full.contains(true), !plain.contains(true) else { return nil }
    if case .leftOut = row.state { return row.state }
    return .leftOut("not built yet")
  }

  /// Compares every row with what both servers do, and corrects it.
  ///
  /// - Returns: what was not as the list says.
  private static func corrected(_ list: inout SynapseEndpointList, _ plain: TestServer, _ full: TestServer)
    async throws -> [Text]
  {
    var complaints: [Text] = []
    for (index, row) in list.rows.enumerated() {
      let (before, after) = (try await answered(row, by: plain), try await answered(row, by: full))
      guard let state = state(row, before, after) else {
        complaints.append("\(row.method) \(row.path): only some of its versions are there: \(row.line)")
        continue
      }
      if state != row.state {
        complaints.append("\(row.method) \(row.path): is \(row.state.text), should be \(state.text)")
      }
      list.rows[index].state = state
    }
    for endpoint in full.endpoints {
      for path in endpoint.paths where !list.covers(endpoint.method.rawValue, path) {
        complaints.append("\(endpoint.method.rawValue) \(path): \(endpoint.name) is not in the list")
        list.rows.append(
          SynapseEndpointList.Row(
            method: endpoint.method.rawValue, path: Text(path.description), versions: [], setting: nil,
            state: .added("the reason is to be written here")))
      }
    }
    return complaints
  }

  @Test func `what Synapse serves is served, or left out for a reason, and there is nothing else`() async throws {
    try await TestServer.run { plain in
      try await TestServer.run(Self.everything) { full in
        var list = try SynapseEndpointList()
        let complaints = try await Self.corrected(&list, plain, full)
        if Self.isWriting { return try list.write() }
        #expect(
          complaints.isEmpty,
          """
          SynapseEndpoints.tsv is not what holds (MYELIN_WRITE_ENDPOINTS=1 writes it):
          \(complaints.joined(separator: "\n"))
          """)
      }
    }
  }

  @Test func `what is left out is answered as unknown`() async throws {
    try await TestServer.run(Self.everything) { server in
      let alice = try await server.register()
      for row in try SynapseEndpointList().rows where !row.state.isServed {
        for path in row.patterns.map(Self.path) {
          let answer = try await server.call(row.method, path, "{}", as: alice)
          // A path that is known with other methods says so.
          #expect(
            [404, 405].contains(answer.status) && answer.errcode == "M_UNRECOGNIZED",
            "\(row.method) \(path): \(answer.status) \(Text(decoding: answer.bytes, as: UTF8.self))")
        }
      }
    }
  }

  @Test func `the list names every operation once`() throws {
    var seen: Set<Text> = []
    for row in try SynapseEndpointList().rows {
      for pattern in row.patterns {
        #expect(seen.insert("\(row.method) \(pattern)").inserted, "\(row.method) \(pattern)")
      }
      if case .added(let reason) = row.state { #expect(!reason.contains("to be written here"), "\(row.line)") }
    }
  }
}
