import ByteText

/// The reader of a template's statements.
struct TemplateParser {
  let name: Text
  private let segments: [TemplateLexer.Segment]
  private var at = 0
  private var blocks: [Text: [TemplateNode]] = [:]
  private var depth = 0

  /// Reads a template.
  ///
  /// - Parameter name: the file's name, which decides whether what is shown is escaped.
  static func parse(_ source: Text, name: Text) throws(TemplateError) -> TemplateProgram {
    var parser = TemplateParser(name: name, segments: try TemplateLexer.segments(source, of: name))
    let (nodes, _) = try parser.nodes(until: [])
    return TemplateProgram(name: name, nodes: nodes, blocks: parser.blocks)
  }

  private init(name: Text, segments: [TemplateLexer.Segment]) {
    self.name = name
    self.segments = segments
  }

  /// What ended a list of nodes.
  private struct End {
    let word: Text
    var reader: TemplateExpressionReader
  }

  /// Reads nodes up to one of some words; at the end of the template there must be none.
  private mutating func nodes(until words: Set<Text>) throws(TemplateError) -> ([TemplateNode], End?) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateBounds.depth else { throw TemplateError(name, "statements are nested too deep") }
    var nodes: [TemplateNode] = []
    while at < segments.count {
      let segment = segments[at]
      at += 1
      switch segment {
      case .text(let text): nodes.append(.text(text))
      case .output(let tokens, let line):
        var reader = TemplateExpressionReader(name, tokens, line: line)
        nodes.append(.output(try reader.whole()))
      case .statement(let tokens, let line):
        var reader = TemplateExpressionReader(name, tokens, line: line)
        let word = try reader.identifier()
        if words.contains(word) { return (nodes, End(word: word, reader: reader)) }
        nodes.append(try statement(word, &reader))
      }
    }
    guard words.isEmpty else { throw TemplateError(name, "\(words.sorted().joined(separator: " or ")) is missing") }
    return (nodes, nil)
  }

  /// Reads nodes up to the word that ends a statement, which stands alone.
  private mutating func body(until word: Text) throws(TemplateError) -> [TemplateNode] {
    let (nodes, end) = try nodes(until: [word])
    if var reader = end?.reader {
      if word == "endblock" || word == "endmacro" { _ = reader.takeName() }
      try reader.end()
    }
    return nodes
  }

  private mutating func statement(_ word: Text, _ reader: inout TemplateExpressionReader) throws(TemplateError)
    -> TemplateNode
  {
    switch word {
    case "if": return try conditional(try reader.whole())
    case "for": return try loop(&reader)
    case "set": return try set(&reader)
    case "block": return try block(&reader)
    case "extends": return .extends(try reader.whole())
    case "include": return try include(&reader)
    case "macro": return try macro(&reader)
    case "import", "from": return try imports(word, &reader)
    case "filter":
      let filters = try reader.filtersOfBlock()
      return .filtered(filters, try body(until: "endfilter"))
    case "with":
      var values: [(name: Text, value: TemplateExpression)] = []
      while !reader.isAtEnd {
        if !values.isEmpty { try reader.expect(",") }
        let name = try reader.identifier()
        try reader.expect("=")
        values.append((name, try reader.expression()))
      }
      return .with(values, try body(until: "endwith"))
    case "autoescape":
      let setting = try reader.whole()
      return .escaping(setting, try body(until: "endautoescape"))
    default: throw reader.fail("there is no statement \(word)")
    }
  }

  private mutating func conditional(_ first: TemplateExpression) throws(TemplateError) -> TemplateNode {
    var branches: [(test: TemplateExpression, body: [TemplateNode])] = []
    var test = first
    while true {
      let (nodes, end) = try nodes(until: ["elif", "else", "endif"])
      branches.append((test, nodes))
      guard var end else { return .conditional(branches, otherwise: []) }
      switch end.word {
      case "elif": test = try end.reader.whole()
      case "else":
        try end.reader.end()
        return .conditional(branches, otherwise: try body(until: "endif"))
      default:
        try end.reader.end()
        return .conditional(branches, otherwise: [])
      }
    }
  }

  private mutating func loop(_ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let names = try reader.targets()
    try reader.expectName("in")
    let sequence = try reader.alternative()
    let condition: TemplateExpression? = reader.take(name: "if") ? try reader.expression() : nil
    _ = reader.take(name: "recursive")
    try reader.end()
    let (nodes, end) = try nodes(until: ["else", "endfor"])
    var otherwise: [TemplateNode] = []
    if end?.word == "else" { otherwise = try body(until: "endfor") }
    return .loop(
      .init(names: names, sequence: sequence, condition: condition, body: nodes, otherwise: otherwise))
  }

  private mutating func set(_ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let names = try reader.targets()
    if reader.take("=") { return .set(names, try reader.wholeTuple()) }
    try reader.end()
    guard let name = names.first, names.count == 1 else { throw reader.fail("a block sets one name") }
    return .capture(name, try body(until: "endset"))
  }

  private mutating func block(_ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let block = try reader.identifier()
    _ = reader.take(name: "scoped")
    _ = reader.take(name: "required")
    try reader.end()
    guard blocks[block] == nil else { throw reader.fail("there are two blocks \(block)") }
    blocks[block] = []
    blocks[block] = try body(until: "endblock")
    return .block(block)
  }

  private func include(_ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let target = try reader.expression()
    var ignoresMissing = false
    if reader.take(name: "ignore") {
      try reader.expectName("missing")
      ignoresMissing = true
    }
    let context = try reader.context() ?? true
    try reader.end()
    return .include(target, ignoresMissing: ignoresMissing, withContext: context)
  }

  private mutating func macro(_ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let macro = try reader.identifier()
    try reader.expect("(")
    var parameters: [(name: Text, standard: TemplateExpression?)] = []
    while !reader.take(")") {
      if !parameters.isEmpty { try reader.expect(",") }
      let parameter = try reader.identifier()
      parameters.append((parameter, reader.take("=") ? try reader.expression() : nil))
    }
    try reader.end()
    return .macro(macro, parameters: parameters, body: try body(until: "endmacro"))
  }

  private func imports(_ word: Text, _ reader: inout TemplateExpressionReader) throws(TemplateError) -> TemplateNode {
    let target = try reader.expression()
    if word == "import" {
      try reader.expectName("as")
      let alias = try reader.identifier()
      _ = try reader.context()
      try reader.end()
      return .importAll(target, as: alias)
    }
    try reader.expectName("import")
    var names: [(name: Text, alias: Text)] = []
    repeat {
      let name = try reader.identifier()
      names.append((name, reader.take(name: "as") ? try reader.identifier() : name))
    } while reader.take(",")
    _ = try reader.context()
    try reader.end()
    return .importNames(target, names)
  }
}
