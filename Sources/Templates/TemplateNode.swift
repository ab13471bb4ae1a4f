import ByteText

/// An expression of a template.
indirect enum TemplateExpression: Sendable {
  case literal(TemplateValue)
  case name(Text)
  case list([TemplateExpression])
  case mapping([(TemplateExpression, TemplateExpression)])
  case attribute(TemplateExpression, Text)
  case item(TemplateExpression, TemplateExpression)
  case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?)
  case call(TemplateExpression, Arguments)
  /// A filter; without a value it is one of a block, whose text it gets.
  case filter(TemplateExpression?, Text, Arguments)
  case test(TemplateExpression, Text, [TemplateExpression], isNegated: Bool)
  case unary(Text, TemplateExpression)
  case binary(Text, TemplateExpression, TemplateExpression)
  case conditional(TemplateExpression, then: TemplateExpression, otherwise: TemplateExpression?)

  /// The arguments of a call.
  struct Arguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: Text, value: TemplateExpression)] = []
  }
}

/// A statement or a text of a template.
indirect enum TemplateNode: Sendable {
  case text(Text)
  case output(TemplateExpression)
  case conditional([(test: TemplateExpression, body: [TemplateNode])], otherwise: [TemplateNode])
  case loop(Loop)
  case set([Text], TemplateExpression)
  case capture(Text, [TemplateNode])
  case block(Text)
  case extends(TemplateExpression)
  case include(TemplateExpression, ignoresMissing: Bool, withContext: Bool)
  case macro(Text, parameters: [(name: Text, standard: TemplateExpression?)], body: [TemplateNode])
  case importAll(TemplateExpression, as: Text)
  case importNames(TemplateExpression, [(name: Text, alias: Text)])
  case filtered(TemplateExpression, [TemplateNode])
  case with([(name: Text, value: TemplateExpression)], [TemplateNode])
  case escaping(TemplateExpression, [TemplateNode])

  /// `for a, b in sequence if condition`.
  struct Loop: Sendable {
    var names: [Text]
    var sequence: TemplateExpression
    var condition: TemplateExpression?
    var body: [TemplateNode]
    var otherwise: [TemplateNode]
  }
}

/// A template that was read.
final class TemplateProgram: Sendable {
  let name: Text
  let nodes: [TemplateNode]
  let blocks: [Text: [TemplateNode]]

  init(name: Text, nodes: [TemplateNode], blocks: [Text: [TemplateNode]]) {
    self.name = name
    self.nodes = nodes
    self.blocks = blocks
  }

  /// Whether what the template shows is escaped, which its file's name decides (as in Synapse's environment).
  var escapes: Bool {
    let name = name.asciiLowercased
    return [".html", ".htm", ".xml"].contains { name.hasSuffix($0) }
  }
}
