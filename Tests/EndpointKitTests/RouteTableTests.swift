import ByteText
import SeededNumbers
import Testing

@testable import EndpointKit

@Suite struct RouteTableTests {
  private func endpoint(_ name: Text, _ method: HTTPMethod, _ paths: PathPattern...) -> Endpoint {
    let handler: Endpoint.CallHandler<Anyone> = { _, _ in .emptyObject }
    return method == .put
      ? .put(name, EndpointPaths(paths), as: Anyone.self, to: handler)
      : .get(name, EndpointPaths(paths), as: Anyone.self, to: handler)
  }

  private func describe(_ result: RouteTable.Result) -> Text {
    switch result {
    case .found(let endpoint, let names, let values):
      ([endpoint.name] + zip(names, values).map { "\($0)=\($1)" }).joined(separator: " ")
    case .wrongMethod: "405"
    case .notFound: "404"
    }
  }

  private var table: RouteTable {
    RouteTable([
      endpoint("state", .get, "/rooms/{roomID}/state"),
      endpoint("stateType", .get, "/rooms/{roomID}/state/{type}"),
      endpoint("stateKey", .get, "/rooms/{roomID}/state/{type}/{stateKey}"),
      endpoint("setStateKey", .put, "/rooms/{roomID}/state/{type}/{stateKey}"),
      endpoint("global", .get, "/rules/global/all"),
      endpoint("rule", .put, "/rules/{scope}/{kind}"),
      endpoint("file", .get, "/files/{path...}"),
    ])
  }

  @Test(
    arguments: [
      ("GET", "/rooms/!a:b/state", "state roomID=!a:b"),
      ("GET", "/rooms/!a:b/state/", "stateType roomID=!a:b type="),
      ("GET", "/rooms/!a:b/state/m.room.name", "stateType roomID=!a:b type=m.room.name"),
      ("GET", "/rooms/!a:b/state/m.room.name/", "stateKey roomID=!a:b type=m.room.name stateKey="),
      ("PUT", "/rooms/!a:b/state/t/k", "setStateKey roomID=!a:b type=t stateKey=k"),
      ("PUT", "/rooms/!a:b/state", "405"),
      ("GET", "/rooms/!a:b", "404"),
      ("GET", "/rooms/!a:b/state/t/k/more", "404"),
      ("GET", "/rules/global/all", "global"),
      ("PUT", "/rules/global/all", "rule scope=global kind=all"),
      ("GET", "/rules/device/all", "405"),
      ("GET", "/files/a/b/c", "file path=a/b/c"),
      ("GET", "/files/", "file path="),
      ("GET", "/files", "404"),
      ("GET", "/", "404"),
      ("GET", "", "404"),
      ("GET", "rules/global/all", "404"),
      ("GET", "//rooms/x/state", "404"),
    ])
  func `finds the endpoint and its captures`(method: Text, path: Text, expected: Text) throws {
    let method = try #require(HTTPMethod(rawValue: method))
    #expect(describe(table.find(method, Substring(path.string))) == expected)
  }

  @Test func `reports two endpoints declared for one method and path`() {
    let table = RouteTable([endpoint("one", .get, "/a/{x}"), endpoint("two", .get, "/a/{y}")])
    #expect(table.conflicts == ["GET /a/{y}: one and two"])
  }

  @Test func `takes any path without a trap`() {
    var random = SeededRandom(7)
    let alphabet = Array("/%!:.a{}\u{e9}\0" as String)
    for _ in 0..<2_000 {
      let path = String(
        (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "/" })
      _ = describe(table.find(.get, Substring(path)))
    }
  }
}
