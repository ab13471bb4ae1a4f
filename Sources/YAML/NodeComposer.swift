import ByteText

/// The node tree, built from the parser's events: tags, anchors, merge keys.
struct NodeComposer {
  private struct Anchored {
    let node: YAMLNode
    let weight: Int
  }

  private let reader: YAMLReader
  private let file: Text
  private var anchors: [Text: Anchored] = [:]
  /// The number of nodes, every alias counted with all that it stands for: what a walk over the tree will cost.
  private var nodes = 0

  init(_ bytes: [UInt8], file: Text) throws(YAMLError) {
    reader = try YAMLReader(bytes, file: file)
    self.file = file
  }

  mutating func compose() throws(YAMLError) -> YAMLNode {
    var root: YAMLNode?
    while true {
      let token = try reader.next()
      switch token.kind {
      case .streamEnd:
        return root ?? YAMLNode(content: .null, mark: YAMLMark(file: file, line: 1, column: 1), text: "")
      case .documentStart:
        guard root == nil else {
          throw YAMLError(
            code: .severalDocuments, message: "expected a single document, found another", mark: token.mark)
        }
        root = try node(reader.next(), depth: 0)
      default: continue
      }
    }
  }

  private mutating func node(_ token: YAMLReader.Token, depth: Int) throws(YAMLError) -> YAMLNode {
    guard depth <= YAMLDocument.maximumDepth else {
      throw YAMLError(
        code: .tooLarge, message: "nested deeper than \(YAMLDocument.maximumDepth) levels", mark: token.mark)
    }
    let before = nodes
    try count(1, at: token.mark)
    let result: YAMLNode
    switch token.kind {
    case .alias(let name):
      guard let anchored = anchors[name] else {
        throw YAMLError(code: .unknownAlias, message: "alias *\(name) refers to no finished anchor", mark: token.mark)
      }
      try count(anchored.weight, at: token.mark)
      return anchored.node
    case .scalar(let text, let isPlain):
      result = YAMLNode(content: try scalar(text, isPlain: isPlain, token), mark: token.mark, text: text)
    case .sequenceStart:
      try check(token, allowed: "tag:yaml.org,2002:seq")
      result = YAMLNode(content: .sequence(try elements(depth: depth + 1)), mark: token.mark)
    case .mappingStart:
      try check(token, allowed: "tag:yaml.org,2002:map")
      result = YAMLNode(content: .mapping(try entries(depth: depth + 1)), mark: token.mark)
    default:
      throw YAMLError(code: .syntax, message: "expected a value", mark: token.mark)
    }
    if let anchor = token.anchor { anchors[anchor] = Anchored(node: result, weight: nodes - before) }
    return result
  }

  private mutating func count(_ more: Int, at mark: YAMLMark) throws(YAMLError) {
    nodes += more
    guard nodes <= YAMLDocument.maximumNodes else {
      throw YAMLError(
        code: .tooLarge, message: "more than \(YAMLDocument.maximumNodes) values, aliases included", mark: mark)
    }
  }

  private mutating func elements(depth: Int) throws(YAMLError) -> [YAMLNode] {
    var result: [YAMLNode] = []
    while true {
      let token = try reader.next()
      if case .sequenceEnd = token.kind { return result }
      result.append(try node(token, depth: depth))
    }
  }

  private mutating func entries(depth: Int) throws(YAMLError) -> YAMLMapping {
    var own: [YAMLMapping.Element] = []
    var merged: [YAMLMapping.Element] = []
    while true {
      let token = try reader.next()
      if case .mappingEnd = token.kind { break }
      let key = try node(token, depth: depth)
      let value = try node(reader.next(), depth: depth)
      if case .scalar("<<", true) = token.kind, token.tag == nil {
        merged += try mergeSource(value)
      } else {
        own.append((key, value))
      }
    }
    var result = YAMLMapping()
    for (key, value) in merged + own {
      guard result.set(key, value) else {
        throw YAMLError(code: .badKey, message: "\(key.summary) cannot be a key", mark: key.mark)
      }
    }
    return result
  }

  /// Lists what `<<` brings in; of several mappings the first one has the last word.
  private func mergeSource(_ value: YAMLNode) throws(YAMLError) -> [YAMLMapping.Element] {
    if let mapping = value.mapping { return Array(mapping) }
    guard let list = value.elements else {
      throw YAMLError(code: .badKey, message: "<< needs a mapping or a list of mappings", mark: value.mark)
    }
    var result: [YAMLMapping.Element] = []
    for element in list.reversed() {
      guard let mapping = element.mapping else {
        throw YAMLError(code: .badKey, message: "<< needs a mapping or a list of mappings", mark: element.mark)
      }
      result += mapping
    }
    return result
  }

  private func scalar(
    _ text: Text, isPlain: Bool, _ token: YAMLReader.Token
  ) throws(YAMLError) -> YAMLNode.Content {
    let resolved: YAMLNode.Content?
    switch token.tag {
    case nil: return isPlain ? ScalarResolver.resolve(text) : .string(text)
    case "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp": return .string(text)
    case "tag:yaml.org,2002:null": return .null
    case "tag:yaml.org,2002:bool": resolved = ScalarResolver.bool(text)
    case "tag:yaml.org,2002:int": resolved = ScalarResolver.integer(text)
    case "tag:yaml.org,2002:float":
      resolved = ScalarResolver.double(text) ?? Double(text).map { .double($0) }
    default: throw unknown(token)
    }
    guard let resolved else {
      throw YAMLError(
        code: .badScalar, message: "\"\(text)\" does not fit its tag \(token.tag ?? "")", mark: token.mark)
    }
    return resolved
  }

  private func check(_ token: YAMLReader.Token, allowed: Text) throws(YAMLError) {
    guard let tag = token.tag, tag != allowed, tag != "!" else { return }
    throw unknown(token)
  }

  private func unknown(_ token: YAMLReader.Token) -> YAMLError {
    YAMLError(code: .unknownTag, message: "the tag \(token.tag ?? "") is not supported", mark: token.mark)
  }
}
