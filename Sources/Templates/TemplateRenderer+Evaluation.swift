import ByteText

extension TemplateRenderer {
  /// Computes an expression.
  ///
  /// - Parameter input: the text of the block to which a filter belongs.
  func evaluate(_ expression: TemplateExpression, input: TemplateValue? = nil) throws(TemplateError) -> TemplateValue {
    switch expression {
    case .literal(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let elements): return .list(try evaluate(elements))
    case .mapping(let entries):
      var mapping = TemplateMapping([])
      for (key, value) in entries { mapping.entries.append((try evaluate(key), try evaluate(value))) }
      return .mapping(mapping)
    case .attribute(let value, let name): return try member(.text(name), of: try evaluate(value))
    case .item(let value, let key): return try member(try evaluate(key), of: try evaluate(value))
    case .slice(let value, let from, let to):
      return try slice(
        try evaluate(value), try from.map { expression throws(TemplateError) in try evaluate(expression) },
        try to.map { expression throws(TemplateError) in try evaluate(expression) })
    case .call(let target, let arguments): return try call(target, try evaluate(arguments))
    case .filter(let value, let name, let arguments):
      let subject: TemplateValue
      if let value { subject = try evaluate(value, input: input) } else { subject = input ?? .undefined("") }
      return try filtered(subject, name, try evaluate(arguments))
    case .test(let value, let name, let arguments, let isNegated):
      let passes = try test(try evaluate(value), name, try evaluate(arguments))
      return .bool(passes != isNegated)
    case .unary(let sign, let value): return try unary(sign, try evaluate(value))
    case .binary(let sign, let left, let right): return try binary(sign, left, right)
    case .conditional(let test, let value, let otherwise):
      if try evaluate(test).isTrue { return try evaluate(value) }
      guard let otherwise else { return .undefined("") }
      return try evaluate(otherwise)
    }
  }

  private func evaluate(_ expressions: [TemplateExpression]) throws(TemplateError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func evaluate(_ arguments: TemplateExpression.Arguments) throws(TemplateError) -> TemplateArguments {
    var result = TemplateArguments(positional: try evaluate(arguments.positional))
    for (name, value) in arguments.named { result.named[name] = try evaluate(value) }
    return result
  }

  private func lookUp(_ name: Text) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return library.globals[name] ?? .undefined(name)
  }

  // MARK: Members

  private func member(_ key: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
    switch value {
    case .undefined(let name): throw fail("\(name) is not defined and has no members")
    case .mapping(let mapping): return mapping[key] ?? .undefined(key.shown)
    case .list, .text, .markup:
      guard let index = key.integerValue, let elements = value.elements else { return .undefined(key.shown) }
      guard let position = Self.position(index, in: elements.count), position < elements.count else {
        return .undefined(key.shown)
      }
      return elements[position]
    default: return .undefined(key.shown)
    }
  }

  /// Counts a negative index from the end; nil before the start.
  private static func position(_ index: Int64, in count: Int) -> Int? {
    let (position, overflow) = index.addingReportingOverflow(index < 0 ? Int64(count) : 0)
    return overflow || position < 0 ? nil : Int(clamping: position)
  }

  private func slice(_ value: TemplateValue, _ from: TemplateValue?, _ to: TemplateValue?) throws(TemplateError)
    -> TemplateValue
  {
    guard let elements = value.elements else { throw fail("only lists and texts can be cut") }
    let start = min(from?.integerValue.map { Self.position($0, in: elements.count) ?? 0 } ?? 0, elements.count)
    let end = min(to?.integerValue.map { Self.position($0, in: elements.count) ?? 0 } ?? elements.count, elements.count)
    let part = start < end ? Array(elements[start..<end]) : []
    return value.string == nil ? .list(part) : .text(part.map(\.shown).joined())
  }

  // MARK: Calls

  private func call(_ target: TemplateExpression, _ arguments: TemplateArguments) throws(TemplateError) -> TemplateValue
  {
    switch target {
    case .name("super"): return try parentBlock()
    case .name("range"):
      let numbers = arguments.positional.compactMap(\.integerValue)
      let (start, end) = numbers.count > 1 ? (numbers[0], numbers[1]) : (0, numbers.first ?? 0)
      let step = numbers.count > 2 ? numbers[2] : 1
      guard step != 0, start >= -100_000, end <= 100_000, end >= -100_000, start <= 100_000 else {
        throw fail("a range is too long")
      }
      return .list(stride(from: start, to: end, by: Int(clamping: step)).map { .integer($0) })
    case .name("dict"):
      let entries = arguments.named.sorted { $0.key < $1.key }.map {
        (key: TemplateValue.text($0.key), value: $0.value)
      }
      return .mapping(TemplateMapping(entries))
    case .attribute(let owner, let method):
      let value = try evaluate(owner)
      if case .mapping(let mapping) = value, case .macro(let macro)? = mapping[.text(method)] {
        return try call(macro, arguments)
      }
      return try TemplateMethods.call(method, of: value, arguments, in: program.name)
    default:
      guard case .macro(let macro) = try evaluate(target) else { throw fail("something that is no macro is called") }
      return try call(macro, arguments)
    }
  }

  // MARK: Operators

  private func unary(_ sign: Text, _ value: TemplateValue) throws(TemplateError) -> TemplateValue {
    if sign == "not" { return .bool(!value.isTrue) }
    if sign == "+" { return value }
    if let number = value.integerValue { return .integer(0 &- number) }
    guard let number = value.number else { throw fail("only numbers have a sign") }
    return .double(-number)
  }

  private func binary(_ sign: Text, _ left: TemplateExpression, _ right: TemplateExpression) throws(TemplateError)
    -> TemplateValue
  {
    let first = try evaluate(left)
    if sign == "and" { return first.isTrue ? try evaluate(right) : first }
    if sign == "or" { return first.isTrue ? first : try evaluate(right) }
    let second = try evaluate(right)
    switch sign {
    case "==": return .bool(first == second)
    case "!=": return .bool(!(first == second))
    case "<", "<=", ">", ">=":
      guard let order = TemplateValue.order(first, second) else { throw fail("two values cannot be compared") }
      return .bool(sign == "<" ? order < 0 : sign == "<=" ? order <= 0 : sign == ">" ? order > 0 : order >= 0)
    case "in": return .bool(try contains(second, first))
    case "not in": return .bool(!(try contains(second, first)))
    case "~": return joined(first, second)
    default: return try arithmetic(sign, first, second)
    }
  }

  /// Joins two texts; where one is HTML the other is escaped.
  func joined(_ first: TemplateValue, _ second: TemplateValue) -> TemplateValue {
    let isMarkup = [first, second].contains { if case .markup = $0 { true } else { false } }
    return isMarkup ? .markup(first.escaped + second.escaped) : .text(first.shown + second.shown)
  }

  private func contains(_ whole: TemplateValue, _ part: TemplateValue) throws(TemplateError) -> Bool {
    if let whole = whole.string { return whole.contains(part.shown) }
    guard let elements = whole.elements else { throw fail("in looks into lists and texts only") }
    return elements.contains { $0 == part }
  }

  private func arithmetic(_ sign: Text, _ first: TemplateValue, _ second: TemplateValue) throws(TemplateError)
    -> TemplateValue
  {
    if sign == "+" {
      if first.string != nil, second.string != nil { return joined(first, second) }
      if case .list(let a) = first, case .list(let b) = second { return .list(a + b) }
    }
    if sign == "%", let format = first.string {
      let values: [TemplateValue] = if case .list(let elements) = second { elements } else { [second] }
      return .text(try TemplateFormat.apply(format, values, in: program.name))
    }
    guard let a = first.number, let b = second.number else { throw fail("\(sign) wants numbers") }
    if let a = first.integerValue, let b = second.integerValue, sign != "/" {
      guard let result = Self.whole(sign, a, b) else { throw fail("a number is too large") }
      return .integer(result)
    }
    switch sign {
    case "+": return .double(a + b)
    case "-": return .double(a - b)
    case "*": return .double(a * b)
    default:
      guard b != 0 else { throw fail("division by zero") }
      let quotient = a / b
      if sign == "/" { return .double(quotient) }
      return .double(sign == "//" ? quotient.rounded(.down) : a - b * quotient.rounded(.down))
    }
  }

  /// Computes with whole numbers, rounding as Python does; nil where the result does not fit.
  private static func whole(_ sign: Text, _ a: Int64, _ b: Int64) -> Int64? {
    let (result, overflow): (Int64, Bool)
    switch sign {
    case "+": (result, overflow) = a.addingReportingOverflow(b)
    case "-": (result, overflow) = a.subtractingReportingOverflow(b)
    case "*": (result, overflow) = a.multipliedReportingOverflow(by: b)
    default:
      guard b != 0, !(a == .min && b == -1) else { return nil }
      let isRoundedDown = a % b != 0 && (a < 0) != (b < 0)
      return sign == "//" ? a / b - (isRoundedDown ? 1 : 0) : a % b + (isRoundedDown ? b : 0)
    }
    return overflow ? nil : result
  }

  // MARK: Tests

  private func test(_ value: TemplateValue, _ name: Text, _ arguments: [TemplateValue]) throws(TemplateError) -> Bool {
    let other = arguments.first ?? .undefined("")
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none": if case .none = value { return true } else { return false }
    case "true": if case .bool(true) = value { return true } else { return false }
    case "false": if case .bool(false) = value { return true } else { return false }
    case "boolean": if case .bool = value { return true } else { return false }
    case "string": return value.string != nil
    case "number": return value.number != nil
    case "integer": if case .integer = value { return true } else { return false }
    case "mapping": if case .mapping = value { return true } else { return false }
    case "sequence", "iterable": return value.elements != nil && !value.isUndefined
    case "odd": return (value.integerValue ?? 0) % 2 != 0
    case "even": return (value.integerValue ?? 1) % 2 == 0
    case "divisibleby":
      guard let a = value.integerValue, let b = other.integerValue, b != 0 else { return false }
      return b == -1 || a % b == 0
    case "lower": return TemplateCase.lower(value.shown) == value.shown
    case "upper": return TemplateCase.upper(value.shown) == value.shown
    case "equalto", "eq", "sameas": return value == other
    case "ne": return !(value == other)
    case "lt": return (TemplateValue.order(value, other) ?? 0) < 0
    case "le": return (TemplateValue.order(value, other) ?? 1) <= 0
    case "gt": return (TemplateValue.order(value, other) ?? 0) > 0
    case "ge": return (TemplateValue.order(value, other) ?? -1) >= 0
    case "in": return try contains(other, value)
    default: throw fail("there is no test \(name)")
    }
  }
}
