import ByteText

/// The lookup of endpoints by path: a trie of segments, literals before captures.
struct RouteTable: Sendable {
  /// What a lookup found.
  enum Result {
    case found(Endpoint, names: [Text], values: [Substring])
    /// The path exists, with other methods.
    case wrongMethod
    case notFound
  }

  private struct Terminal: Sendable {
    let method: HTTPMethod
    let endpoint: Endpoint
    let names: [Text]
  }

  private struct Literal: Sendable {
    let text: [UInt8]
    let node: Int
  }

  private struct Node: Sendable {
    /// By a hash of their bytes, which is cheaper here than a text's own.
    var literals: [UInt64: [Literal]] = [:]
    var parameter: Int?
    var here: [Terminal] = []
    var rest: [Terminal] = []
  }

  private var nodes = [Node()]
  /// The declarations that collide: two endpoints for one method and path. Empty in a sound program.
  private(set) var conflicts: [Text] = []

  init(_ endpoints: [Endpoint]) {
    for endpoint in endpoints {
      for path in endpoint.paths { insert(path, endpoint) }
    }
  }

  private mutating func insert(_ path: PathPattern, _ endpoint: Endpoint) {
    var current = 0
    var takesRest = false
    for segment in path.segments {
      switch segment {
      case .literal(let text):
        current = literal(of: current, Array(text.utf8))
      case .parameter:
        current = child(of: current, \.parameter)
      case .rest:
        takesRest = true
      }
    }
    let terminals = takesRest ? \Node.rest : \Node.here
    if let other = nodes[current][keyPath: terminals].first(where: { $0.method == endpoint.method }) {
      conflicts.append("\(endpoint.method.rawValue) \(path): \(other.endpoint.name) and \(endpoint.name)")
      return
    }
    let terminal = Terminal(method: endpoint.method, endpoint: endpoint, names: path.parameterNames)
    nodes[current][keyPath: terminals].append(terminal)
  }

  private mutating func literal(of node: Int, _ text: [UInt8]) -> Int {
    if let existing = nodes[node].literals[Self.hash(text)]?.first(where: { $0.text == text }) { return existing.node }
    nodes.append(Node())
    nodes[node].literals[Self.hash(text), default: []].append(Literal(text: text, node: nodes.count - 1))
    return nodes.count - 1
  }

  /// FNV-1a, 64 bits.
  private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  private mutating func child(of node: Int, _ slot: WritableKeyPath<Node, Int?>) -> Int {
    if let existing = nodes[node][keyPath: slot] { return existing }
    nodes.append(Node())
    nodes[node][keyPath: slot] = nodes.count - 1
    return nodes.count - 1
  }

  /// Looks a path up.
  ///
  /// - Parameters:
  ///   - method: `.head` must have been mapped to `.get` before.
  ///   - path: undecoded, with its leading slash, without query.
  func find(_ method: HTTPMethod, _ path: Substring) -> Result {
    guard path.utf8.first == UInt8(ascii: "/") else { return .notFound }
    let segments = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    var search = Search(method: method, path: path, segments: segments)
    if let terminal = walk(0, 0, &search) {
      return .found(terminal.endpoint, names: terminal.names, values: search.values)
    }
    return search.sawPath ? .wrongMethod : .notFound
  }

  private struct Search {
    let method: HTTPMethod
    let path: Substring
    let segments: [Substring.UTF8View]
    var values: [Substring] = []
    var sawPath = false
  }

  private func walk(_ node: Int, _ depth: Int, _ search: inout Search) -> Terminal? {
    guard depth < search.segments.count else { return pick(nodes[node].here, &search) }
    let segment = search.segments[depth]
    let literals = nodes[node].literals.isEmpty ? nil : nodes[node].literals[Self.hash(segment)]
    if let next = literals?.first(where: { $0.text.elementsEqual(segment) })?.node,
      let found = walk(next, depth + 1, &search)
    {
      return found
    }
    if let next = nodes[node].parameter {
      search.values.append(Substring(segment))
      if let found = walk(next, depth + 1, &search) { return found }
      search.values.removeLast()
    }
    guard let found = pick(nodes[node].rest, &search) else { return nil }
    search.values.append(Substring(search.path.utf8[segment.startIndex...]))
    return found
  }

  private func pick(_ terminals: [Terminal], _ search: inout Search) -> Terminal? {
    if terminals.isEmpty { return nil }
    search.sawPath = true
    return terminals.first { $0.method == search.method }
  }
}
