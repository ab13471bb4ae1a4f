import ByteText

/// A point in a stream that several processes may write: every writer's position, kept as a common minimum plus the
/// writers that are ahead of it.
///
/// Wire form: the bare minimum (`42`), or `m42~2.58~3.59` when instances 2 and 3 (ids of table `instance_map`) are ahead.
public struct MultiWriterToken: Hashable, Sendable {
  /// The position that all writers have reached.
  public let stream: Int64
  /// The position of each writer that is ahead of ``stream``, by instance name; every value is greater than
  /// ``stream``.
  public let ahead: [Text: Int64]

  /// Makes a token; entries of `ahead` that are not beyond `stream` are dropped.
  public init(stream: Int64, ahead: [Text: Int64] = [:]) {
    self.stream = stream
    self.ahead = ahead.isEmpty ? ahead : ahead.filter { $0.value > stream }
  }

  /// Returns the position that `instance` had reached; rows of unknown origin (nil) count against the minimum.
  public func position(of instance: Text?) -> Int64 {
    guard let instance, !ahead.isEmpty else { return stream }
    return ahead[instance] ?? stream
  }

  /// The largest position mentioned: the upper bound to use in SQL before filtering by ``covers(_:instance:)``.
  public var maximum: Int64 { ahead.values.reduce(stream) { $0 > $1 ? $0 : $1 } }

  /// Returns whether the row with id `id`, written by `instance`, is at or before this point.
  public func covers(_ id: Int64, instance: Text?) -> Bool { id <= position(of: instance) }

  /// Returns whether every writer's position here is at or before its position in `other`.
  public func isBeforeOrEqual(_ other: MultiWriterToken) -> Bool {
    guard stream <= other.stream else { return false }
    for (instance, position) in ahead where position > other.position(of: instance) { return false }
    for (instance, position) in other.ahead where self.position(of: instance) > position { return false }
    return true
  }

  /// Returns the token that is after both tokens in every writer's order.
  public func advanced(to other: MultiWriterToken) -> MultiWriterToken {
    var merged: [Text: Int64] = [:]
    for instance in ahead.keys { merged[instance] = max(position(of: instance), other.position(of: instance)) }
    for instance in other.ahead.keys { merged[instance] = max(position(of: instance), other.position(of: instance)) }
    return MultiWriterToken(stream: max(stream, other.stream), ahead: merged)
  }

  /// Returns the token with no writer beyond `maximum`.
  public func bounded(by maximum: Int64) -> MultiWriterToken {
    guard self.maximum > maximum else { return self }
    return MultiWriterToken(stream: min(stream, maximum), ahead: ahead.mapValues { min($0, maximum) })
  }

  /// Reads the wire form.
  ///
  /// - Returns: nil when the text is not a token, is negative, or names an instance that the database does not know.
  /// - Throws: what the directory throws when it cannot be read.
  public static func parse(_ text: Text, directory: some InstanceDirectory) async throws -> MultiWriterToken? {
    let token =
      if text.utf8.first == UInt8(ascii: "m") {
        try await parseVector(text.dropFirst(), directory: directory)
      } else {
        TokenInteger.parse(text).map { MultiWriterToken(stream: $0) }
      }
    return token.flatMap { $0.stream < 0 ? nil : $0 }
  }

  /// Reads what follows the `m` of a vector form.
  static func parseVector(_ text: Text, directory: some InstanceDirectory) async throws -> MultiWriterToken? {
    let parts = text.split(separator: UInt8(ascii: "~"), omittingEmptySubsequences: false)
    guard let first = parts.first, let stream = TokenInteger.parse(first), parts.count <= 128 else { return nil }
    var ahead: [Text: Int64] = [:]
    for part in parts.dropFirst() where !part.isEmpty {
      let pair = part.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      guard pair.count == 2, let id = TokenInteger.parse(pair[0]), let position = TokenInteger.parse(pair[1]),
        position > stream, let name = try await directory.instanceName(forID: id)
      else { return nil }
      ahead[name] = position
    }
    return MultiWriterToken(stream: stream, ahead: ahead)
  }

  /// Writes the wire form; a writer without an id gets one (a database write on first use).
  public func text(directory: some InstanceDirectory) async throws -> Text {
    ahead.isEmpty ? Text(stream) : try await vectorText(directory: directory)
  }

  func vectorText(directory: some InstanceDirectory) async throws -> Text {
    var result = "m\(stream)"
    for (instance, position) in ahead.sorted(by: { $0.key < $1.key }) {
      result += "~\(try await directory.instanceID(forName: instance)).\(position)"
    }
    return result
  }
}

/// The integers of tokens: an optional minus sign and up to 18 ASCII digits, so that sums cannot overflow.
enum TokenInteger {
  static func parse(_ text: Text) -> Int64? {
    var digits = text.utf8[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    guard !digits.isEmpty, digits.count <= 18 else { return nil }
    var value: Int64 = 0
    for digit in digits {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return isNegative ? -value : value
  }
}
