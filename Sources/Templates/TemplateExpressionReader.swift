import ByteText

/// The reader of what stands in one tag.
struct TemplateExpressionReader {
  private let name: Text
  private let tokens: [TemplateToken]
  private let line: Int
  private var at = 0
  private var depth = 0

  init(_ name: Text, _ tokens: [TemplateToken], line: Int) {
    self.name = name
    self.tokens = tokens
    self.line = line
  }

  func fail(_ problem: Text) -> TemplateError { TemplateError(name, line: line, problem) }

  // MARK: Tokens

  var isAtEnd: Bool { at >= tokens.count }
  private var next: TemplateToken? { at < tokens.count ? tokens[at] : nil }

  mutating func take(_ sign: Text) -> Bool {
    guard case .sign(let found)? = next, found == sign else { return false }
    at += 1
    return true
  }

  mutating func take(name: Text) -> Bool {
    guard case .name(let found)? = next, found == name else { return false }
    at += 1
    return true
  }

  mutating func takeName() -> Text? {
    guard case .name(let found)? = next else { return nil }
    at += 1
    return found
  }

  mutating func expect(_ sign: Text) throws(TemplateError) {
    guard take(sign) else { throw fail("\(sign) is missing") }
  }

  mutating func expectName(_ word: Text) throws(TemplateError) {
    guard take(name: word) else { throw fail("\(word) is missing") }
  }

  mutating func identifier() throws(TemplateError) -> Text {
    guard let name = takeName() else { throw fail("a name is missing") }
    return name
  }

  func end() throws(TemplateError) {
    guard isAtEnd else { throw fail("there is more in a tag than belongs there") }
  }

  /// Reads `a, b`.
  mutating func targets() throws(TemplateError) -> [Text] {
    let isEnclosed = take("(")
    var names = [try identifier()]
    while take(",") { names.append(try identifier()) }
    if isEnclosed { try expect(")") }
    return names
  }

  /// Reads `with context` or `without context`.
  mutating func context() throws(TemplateError) -> Bool? {
    if take(name: "with") {
      try expectName("context")
      return true
    }
    guard take(name: "without") else { return nil }
    try expectName("context")
    return false
  }

  // MARK: Expressions

  mutating func whole() throws(TemplateError) -> TemplateExpression {
    let result = try expression()
    try end()
    return result
  }

  /// Reads `a, b` as a list, or one expression.
  mutating func wholeTuple() throws(TemplateError) -> TemplateExpression {
    var elements = [try expression()]
    var isTuple = false
    while take(",") {
      isTuple = true
      if isAtEnd { break }
      elements.append(try expression())
    }
    try end()
    return isTuple ? .list(elements) : elements[0]
  }

  mutating func filtersOfBlock() throws(TemplateError) -> TemplateExpression {
    let filter = try identifier()
    let result = try postfix(.filter(nil, filter, take("(") ? try arguments() : .init()), filters: true)
    try end()
    return result
  }

  mutating func expression() throws(TemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateBounds.depth else { throw fail("an expression is nested too deep") }
    var result = try alternative()
    while take(name: "if") {
      let test = try alternative()
      result = .conditional(test, then: result, otherwise: take(name: "else") ? try expression() : nil)
    }
    return result
  }

  mutating func alternative() throws(TemplateError) -> TemplateExpression {
    var result = try conjunction()
    while take(name: "or") { result = .binary("or", result, try conjunction()) }
    return result
  }

  private mutating func conjunction() throws(TemplateError) -> TemplateExpression {
    var result = try negation()
    while take(name: "and") { result = .binary("and", result, try negation()) }
    return result
  }

  private mutating func negation() throws(TemplateError) -> TemplateExpression {
    var count = 0
    while take(name: "not") { count += 1 }
    let result = try comparison()
    return count == 0 ? result : count.isMultiple(of: 2) ? .unary("not", .unary("not", result)) : .unary("not", result)
  }

  private mutating func comparison() throws(TemplateError) -> TemplateExpression {
    var (result, left) = (Optional<TemplateExpression>.none, try sum())
    while let sign = takeComparison() {
      let right = try sum()
      let single = TemplateExpression.binary(sign, left, right)
      result = result.map { .binary("and", $0, single) } ?? single
      left = right
    }
    return result ?? left
  }

  private mutating func takeComparison() -> Text? {
    for sign in ["==", "!=", "<=", ">=", "<", ">"] as [Text] where take(sign) { return sign }
    if take(name: "in") { return "in" }
    if case .name("not")? = next, at + 1 < tokens.count, case .name("in") = tokens[at + 1] {
      at += 2
      return "not in"
    }
    return nil
  }

  private mutating func sum() throws(TemplateError) -> TemplateExpression {
    var result = try concatenation()
    while let sign = takeOne(of: ["+", "-"]) { result = .binary(sign, result, try concatenation()) }
    return result
  }

  private mutating func concatenation() throws(TemplateError) -> TemplateExpression {
    var result = try product()
    while take("~") { result = .binary("~", result, try product()) }
    return result
  }

  private mutating func product() throws(TemplateError) -> TemplateExpression {
    var result = try unary(filters: true)
    while let sign = takeOne(of: ["*", "//", "/", "%"]) { result = .binary(sign, result, try unary(filters: true)) }
    return result
  }

  private mutating func takeOne(of signs: [Text]) -> Text? {
    for sign in signs where take(sign) { return sign }
    return nil
  }

  private mutating func unary(filters: Bool) throws(TemplateError) -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateBounds.depth else { throw fail("an expression is nested too deep") }
    if let sign = takeOne(of: ["-", "+"]) {
      return try postfix(.unary(sign, try unary(filters: false)), filters: filters)
    }
    return try postfix(try primary(), filters: filters)
  }

  private mutating func primary() throws(TemplateError) -> TemplateExpression {
    guard let token = next else { throw fail("an expression is missing") }
    at += 1
    switch token {
    case .integer(let value): return .literal(.integer(value))
    case .double(let value): return .literal(.double(value))
    case .string(var value):
      while case .string(let more)? = next {
        value += more
        at += 1
      }
      return .literal(.text(value))
    case .name("true"), .name("True"): return .literal(.bool(true))
    case .name("false"), .name("False"): return .literal(.bool(false))
    case .name("none"), .name("None"): return .literal(.none)
    case .name(let name): return .name(name)
    case .sign("("): return try parenthesised()
    case .sign("["): return .list(try elements(until: "]"))
    case .sign("{"): return try mapping()
    case .sign(let sign): throw fail("\(sign) stands where a value is expected")
    }
  }

  private mutating func parenthesised() throws(TemplateError) -> TemplateExpression {
    if take(")") { return .list([]) }
    let first = try expression()
    if take(")") { return first }
    try expect(",")
    return .list([first] + (try elements(until: ")")))
  }

  private mutating func elements(until end: Text) throws(TemplateError) -> [TemplateExpression] {
    var elements: [TemplateExpression] = []
    while !take(end) {
      elements.append(try expression())
      if take(end) { break }
      try expect(",")
    }
    return elements
  }

  private mutating func mapping() throws(TemplateError) -> TemplateExpression {
    var entries: [(TemplateExpression, TemplateExpression)] = []
    while !take("}") {
      let key = try expression()
      try expect(":")
      entries.append((key, try expression()))
      if take("}") { break }
      try expect(",")
    }
    return .mapping(entries)
  }

  // MARK: What follows a value

  private mutating func postfix(_ value: TemplateExpression, filters: Bool) throws(TemplateError)
    -> TemplateExpression
  {
    var result = value
    while true {
      if take(".") {
        if case .integer(let index)? = next {
          at += 1
          result = .item(result, .literal(.integer(index)))
        } else {
          result = .attribute(result, try identifier())
        }
      } else if take("[") {
        result = try subscripted(result)
      } else if take("(") {
        result = .call(result, try arguments())
      } else if filters, take("|") {
        let filter = try identifier()
        result = .filter(result, filter, take("(") ? try arguments() : .init())
      } else if filters, take(name: "is") {
        result = try test(result)
      } else {
        return result
      }
    }
  }

  private mutating func subscripted(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    if take(":") {
      if take("]") { return .slice(value, from: nil, to: nil) }
      let end = try expression()
      try expect("]")
      return .slice(value, from: nil, to: end)
    }
    let start = try expression()
    if take(":") {
      if take("]") { return .slice(value, from: start, to: nil) }
      let end = try expression()
      try expect("]")
      return .slice(value, from: start, to: end)
    }
    try expect("]")
    return .item(value, start)
  }

  private mutating func arguments() throws(TemplateError) -> TemplateExpression.Arguments {
    var arguments = TemplateExpression.Arguments()
    while !take(")") {
      if case .name(let name)? = next, at + 1 < tokens.count, case .sign("=") = tokens[at + 1] {
        at += 2
        arguments.named.append((name, try expression()))
      } else {
        arguments.positional.append(try expression())
      }
      if take(")") { break }
      try expect(",")
    }
    return arguments
  }

  private mutating func test(_ value: TemplateExpression) throws(TemplateError) -> TemplateExpression {
    let isNegated = take(name: "not")
    let test = try identifier()
    var arguments: [TemplateExpression] = []
    if take("(") {
      arguments = try elements(until: ")")
    } else if ["divisibleby", "equalto", "eq", "ne", "lt", "le", "gt", "ge", "sameas", "in"].contains(test) {
      arguments = [try unary(filters: false)]
    }
    return .test(value, test, arguments, isNegated: isNegated)
  }
}
