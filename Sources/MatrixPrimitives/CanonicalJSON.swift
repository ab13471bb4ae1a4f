/// The one form of JSON that hashes and signatures are computed over.
///
/// The form is the specification's appendix "Canonical JSON": no white space, keys sorted by code point, shortest escapes, integers only.
public enum CanonicalJSON {
  /// The limit on the magnitude of integers: 2^53 − 1, which every JSON implementation can hold.
  public static let maximumInteger: Int64 = 9_007_199_254_740_991

  /// Encodes a parsed value.
  /// - Parameters:
  ///   - value: any value.
  ///   - omitting: keys of the outermost object to leave out, such as `signatures`.
  ///   - strict: refuses numbers that are no integers or lie outside ±(2^53 − 1). Room versions before 6 need false: such numbers are
  ///     then written as Python prints them.
  /// - Throws: `JSONError` with `duplicateKey`, `notAnInteger` or `numberOutOfRange`.
  public static func encode(
    _ value: JSONValue, omitting: Set<Text> = [], strict: Bool = true
  ) throws(JSONError) -> [UInt8] {
    var encoder = CanonicalTapeEncoder(document: value.document, strict: strict)
    encoder.output.reserveCapacity(value.raw.count)
    try encoder.encodeRoot(value.index, omitting: omitting)
    return encoder.output
  }

  /// Encodes a tree; see the other form.
  public static func encode(_ value: JSON, strict: Bool = true) throws(JSONError) -> [UInt8] {
    var output: [UInt8] = []
    try append(value, strict: strict, to: &output)
    return output
  }

  private static func append(_ value: JSON, strict: Bool, to output: inout [UInt8]) throws(JSONError) {
    switch value {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let bool): output.append(contentsOf: bool ? "true".utf8 : "false".utf8)
    case .integer(let integer): try append(integer, strict: strict, offset: 0, to: &output)
    case .double(let double): try append(double, strict: strict, offset: 0, to: &output)
    case .string(let string): JSONText.appendQuoted(string, to: &output)
    case .array(let elements):
      output.append(UInt8(ascii: "["))
      for (position, element) in elements.enumerated() {
        if position > 0 { output.append(UInt8(ascii: ",")) }
        try append(element, strict: strict, to: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .object(let members):
      output.append(UInt8(ascii: "{"))
      var isFirst = true
      for (key, member) in members.sorted(by: { $0.key < $1.key }) {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONText.appendQuoted(key, to: &output)
        output.append(UInt8(ascii: ":"))
        try append(member, strict: strict, to: &output)
      }
      output.append(UInt8(ascii: "}"))
    }
  }

  static func append(
    _ integer: Int64, strict: Bool, offset: Int, to output: inout [UInt8]
  ) throws(JSONError) {
    guard !strict || integer.magnitude <= UInt64(maximumInteger) else {
      throw JSONError(.numberOutOfRange, offset: offset)
    }
    JSONText.append(integer, to: &output)
  }

  /// Appends a number. The appendix writes `1e10` as `10000000000` and `-0` as `0`, so a whole number in another
  /// notation is an integer.
  static func append(_ double: Double, strict: Bool, offset: Int, to output: inout [UInt8]) throws(JSONError) {
    guard double.isFinite else { throw JSONError(.numberOutOfRange, offset: offset) }
    guard strict else {
      JSONText.append(double, to: &output)
      return
    }
    guard double == double.rounded(.towardZero) else { throw JSONError(.notAnInteger, offset: offset) }
    guard double.magnitude <= Double(maximumInteger), let integer = Int64(exactly: double) else {
      throw JSONError(.numberOutOfRange, offset: offset)
    }
    JSONText.append(integer, to: &output)
  }
}
