import ByteText

/// One rendering of a template.
///
/// Names are looked up in a stack of scopes: the values given, then one for each loop, macro and `with`.
final class TemplateRenderer {
  let library: TemplateLibrary
  private(set) var scopes: [[Text: TemplateValue]]
  private(set) var escapes = false
  private(set) var program: TemplateProgram
  private var output: [UInt8] = []
  private var steps = 0
  private var depth = 0
  private var nesting = 0
  /// The bodies of each block, that of the template itself first and its parents' after it.
  private var blocks: [Text: [(body: [TemplateNode], program: TemplateProgram)]] = [:]
  /// The blocks that are being rendered, with which of their bodies.
  private var openBlocks: [(name: Text, index: Int)] = []

  init(_ library: TemplateLibrary, _ program: TemplateProgram, _ values: [Text: TemplateValue]) {
    self.library = library
    self.program = program
    scopes = [values]
  }

  func fail(_ problem: Text) -> TemplateError { TemplateError(program.name, problem) }

  /// Renders the template with its parents.
  func render() throws(TemplateError) -> Text {
    try run(program)
    return Text(decoding: output, as: UTF8.self)
  }

  private func enter() throws(TemplateError) {
    depth += 1
    guard depth <= TemplateBounds.calls else { throw fail("templates, macros or blocks call each other too deep") }
  }

  /// Runs a template, or its parent with the blocks of both.
  private func run(_ first: TemplateProgram) throws(TemplateError) {
    try enter()
    let (outerProgram, outerEscapes, outerBlocks) = (program, escapes, blocks)
    defer { (program, escapes, blocks, depth) = (outerProgram, outerEscapes, outerBlocks, depth - 1) }
    blocks = [:]
    var next: TemplateProgram? = first
    var parents = 0
    while let current = next {
      parents += 1
      guard parents <= TemplateBounds.depth else { throw fail("templates extend each other in a circle") }
      (program, escapes, next) = (current, current.escapes, nil)
      for (name, body) in current.blocks { blocks[name, default: []].append((body, current)) }
      guard let position = current.nodes.firstIndex(where: { if case .extends = $0 { true } else { false } }),
        case .extends(let parent) = current.nodes[position]
      else {
        try render(current.nodes)
        continue
      }
      try render(Array(current.nodes[..<position]))
      // Of what follows only what sets names has an effect.
      let kept = output.count
      let rest = current.nodes[(position + 1)...].filter { if case .block = $0 { false } else { true } }
      try render(rest)
      output.removeSubrange(kept...)
      next = try library.program(named: try evaluate(parent).shown)
    }
  }

  func render(_ nodes: [TemplateNode]) throws(TemplateError) {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= TemplateBounds.nesting else { throw fail("statements are nested too deep") }
    for node in nodes {
      steps += 1
      guard steps <= TemplateBounds.steps else { throw fail("rendering takes too long") }
      try render(node)
    }
  }

  private func render(_ node: TemplateNode) throws(TemplateError) {
    switch node {
    case .text(let text): try write(text)
    case .output(let expression): try show(try evaluate(expression))
    case .conditional(let branches, let otherwise):
      for branch in branches where try evaluate(branch.test).isTrue { return try render(branch.body) }
      try render(otherwise)
    case .loop(let loop): try render(loop)
    case .set(let names, let value): try assign(names, try evaluate(value))
    case .capture(let name, let body):
      let text = try captured { () throws(TemplateError) in try render(body) }
      try assign([name], escapes ? .markup(text) : .text(text))
    case .block(let name): try renderBlock(name, 0)
    case .extends: throw fail("extends has to stand at the top")
    case .include(let target, let ignoresMissing, let withContext):
      try include(target, ignoresMissing: ignoresMissing, withContext: withContext)
    case .macro(let name, let parameters, let body):
      try assign(
        [name], .macro(TemplateMacro(name: name, parameters: parameters, body: body, program: program)))
    case .importAll(let target, let alias):
      let names = try exported(by: target)
      let entries = names.sorted { $0.key < $1.key }.map { (key: TemplateValue.text($0.key), value: $0.value) }
      try assign([alias], .mapping(TemplateMapping(entries)))
    case .importNames(let target, let wanted):
      let names = try exported(by: target)
      for (name, alias) in wanted { try assign([alias], names[name] ?? .undefined(name)) }
    case .filtered(let filter, let body):
      let text = try captured { () throws(TemplateError) in try render(body) }
      try show(try evaluate(filter, input: escapes ? .markup(text) : .text(text)))
    case .with(let values, let body):
      var scope: [Text: TemplateValue] = [:]
      for (name, value) in values { scope[name] = try evaluate(value) }
      try inScope(scope) { () throws(TemplateError) in try render(body) }
    case .escaping(let setting, let body):
      let outer = escapes
      defer { escapes = outer }
      escapes = try evaluate(setting).isTrue
      try render(body)
    }
  }

  // MARK: Output

  private func write(_ text: Text) throws(TemplateError) {
    guard output.count + text.utf8.count <= TemplateBounds.output else { throw fail("the result is too large") }
    output += text.utf8
  }

  private func show(_ value: TemplateValue) throws(TemplateError) { try write(escapes ? value.escaped : value.shown) }

  /// Returns what a part of the template renders.
  private func captured(_ body: () throws(TemplateError) -> Void) throws(TemplateError) -> Text {
    let outer = output
    output = []
    defer { output = outer }
    try body()
    return Text(decoding: output, as: UTF8.self)
  }

  // MARK: Names

  private func inScope(_ scope: [Text: TemplateValue], _ body: () throws(TemplateError) -> Void) throws(TemplateError) {
    scopes.append(scope)
    defer { scopes.removeLast() }
    try body()
  }

  private func assign(_ names: [Text], _ value: TemplateValue) throws(TemplateError) {
    let last = scopes.count - 1
    if names.count == 1, let name = names.first {
      scopes[last][name] = value
      return
    }
    guard let elements = value.elements, elements.count == names.count else {
      throw fail("\(names.count) names cannot take another number of values")
    }
    for (name, element) in zip(names, elements) { scopes[last][name] = element }
  }

  // MARK: Loops, blocks, other templates

  private func render(_ loop: TemplateNode.Loop) throws(TemplateError) {
    guard var elements = try evaluate(loop.sequence).elements else { throw fail("a loop goes through no list") }
    if let condition = loop.condition {
      var kept: [TemplateValue] = []
      for element in elements {
        try inScope([:]) { () throws(TemplateError) in
          try assign(loop.names, element)
          if try evaluate(condition).isTrue { kept.append(element) }
        }
      }
      elements = kept
    }
    guard !elements.isEmpty else { return try render(loop.otherwise) }
    for (index, element) in elements.enumerated() {
      try inScope(["loop": Self.position(index, elements)]) { () throws(TemplateError) in
        try assign(loop.names, element)
        try render(loop.body)
      }
    }
  }

  private static func position(_ index: Int, _ elements: [TemplateValue]) -> TemplateValue {
    let count = elements.count
    let members: [(Text, TemplateValue)] = [
      ("index", .integer(Int64(index + 1))), ("index0", .integer(Int64(index))),
      ("revindex", .integer(Int64(count - index))), ("revindex0", .integer(Int64(count - index - 1))),
      ("first", .bool(index == 0)), ("last", .bool(index == count - 1)), ("length", .integer(Int64(count))),
      ("previtem", index > 0 ? elements[index - 1] : .undefined("previtem")),
      ("nextitem", index < count - 1 ? elements[index + 1] : .undefined("nextitem")),
    ]
    return .mapping(TemplateMapping(members.map { (key: .text($0.0), value: $0.1) }))
  }

  private func renderBlock(_ name: Text, _ index: Int) throws(TemplateError) {
    guard let bodies = blocks[name], index < bodies.count else { return }
    try enter()
    let (outerProgram, outerEscapes) = (program, escapes)
    openBlocks.append((name, index))
    defer {
      openBlocks.removeLast()
      (program, escapes, depth) = (outerProgram, outerEscapes, depth - 1)
    }
    program = bodies[index].program
    escapes = program.escapes
    try inScope([:]) { () throws(TemplateError) in try render(bodies[index].body) }
  }

  /// Renders what the parent has in the block that is being rendered.
  func parentBlock() throws(TemplateError) -> TemplateValue {
    guard let open = openBlocks.last else { throw fail("super stands outside of a block") }
    let text = try captured { () throws(TemplateError) in try renderBlock(open.name, open.index + 1) }
    return .markup(text)
  }

  private func include(_ target: TemplateExpression, ignoresMissing: Bool, withContext: Bool) throws(TemplateError) {
    let value = try evaluate(target)
    let names: [Text] = if case .list(let elements) = value { elements.map(\.shown) } else { [value.shown] }
    guard let found = try library.firstProgram(of: names) else {
      if ignoresMissing { return }
      throw fail("there is no template \(names.joined(separator: " or "))")
    }
    try isolated(withContext ? scopes : [library.globals]) { () throws(TemplateError) in try run(found) }
  }

  private func exported(by target: TemplateExpression) throws(TemplateError) -> [Text: TemplateValue] {
    let found = try library.program(named: try evaluate(target).shown)
    var names: [Text: TemplateValue] = [:]
    _ = try captured { () throws(TemplateError) in
      try isolated([library.globals, [:]]) { () throws(TemplateError) in
        try run(found)
        names = scopes.last ?? [:]
      }
    }
    for (name, value) in names {
      guard case .macro(var macro) = value else { continue }
      macro.scope = names
      names[name] = .macro(macro)
    }
    return names
  }

  /// Runs with other scopes; what is set there does not come back.
  private func isolated(_ inner: [[Text: TemplateValue]], _ body: () throws(TemplateError) -> Void)
    throws(TemplateError)
  {
    let outer = scopes
    scopes = inner
    defer { scopes = outer }
    try body()
  }

  /// Calls a macro.
  func call(_ macro: TemplateMacro, _ arguments: TemplateArguments) throws(TemplateError) -> TemplateValue {
    try enter()
    let (outerProgram, outerEscapes) = (program, escapes)
    defer { (program, escapes, depth) = (outerProgram, outerEscapes, depth - 1) }
    program = macro.program
    escapes = program.escapes
    var scope = macro.scope
    for (index, parameter) in macro.parameters.enumerated() {
      if index < arguments.positional.count {
        scope[parameter.name] = arguments.positional[index]
      } else if let named = arguments.named[parameter.name] {
        scope[parameter.name] = named
      } else if let standard = parameter.standard {
        scope[parameter.name] = try evaluate(standard)
      } else {
        scope[parameter.name] = .undefined(parameter.name)
      }
    }
    let text = try captured { () throws(TemplateError) in
      try inScope(scope) { () throws(TemplateError) in try render(macro.body) }
    }
    return escapes ? .markup(text) : .text(text)
  }
}

/// The values of a call's arguments.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [Text: TemplateValue] = [:]

  /// Returns an argument by its position or name.
  func value(_ index: Int, _ name: Text) -> TemplateValue? {
    index < positional.count ? positional[index] : named[name]
  }
}
