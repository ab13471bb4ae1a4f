import MatrixPrimitives

extension ReplicationCommand {
  /// Reads a line.
  /// - Parameter line: bytes of the line, without a newline.
  /// - Throws: `ReplicationError` with `malformedCommand` when the name is unknown or an argument has the wrong form.
  public init(line: [UInt8]) throws(ReplicationError) {
    var reader = LineReader(line: line)
    let name = try reader.word()
    switch name {
    case "RDATA":
      let stream = StreamName(rawValue: try reader.word())
      let instance = try reader.word()
      let token = try reader.word()
      self = .rdata(
        stream: stream, instance: instance, token: token == "batch" ? nil : try Self.integer(token),
        row: reader.rest())
    case "POSITION":
      self = .position(
        stream: StreamName(rawValue: try reader.word()), instance: try reader.word(),
        previous: try Self.integer(try reader.word()), new: try Self.integer(try reader.word()))
    case "REPLICATE": self = .replicate
    case "USER_SYNC": self = try Self.userSync(&reader)
    case "CLEAR_USER_SYNC": self = .clearUserSync(instanceID: try reader.text())
    case "USER_IP":
      self = .userIP(try UserIPReport(userID: try reader.word(), fields: try reader.strictRest()))
    case "FEDERATION_ACK":
      self = .federationAck(instance: try reader.word(), token: try Self.integer(try reader.word()))
    case "REMOTE_SERVER_UP": self = .remoteServerUp(server: try reader.text())
    case "LOCK_RELEASED":
      let fields = try Self.array(try reader.strictRest())
      guard let instance = fields[0]?.string, let name = fields[1]?.string, let key = fields[2]?.string else {
        throw ReplicationError(.malformedCommand, "LOCK_RELEASED: three strings are expected")
      }
      self = .lockReleased(instance: instance, name: name, key: key)
    case "NEW_ACTIVE_TASK": self = .newActiveTask(id: try reader.text())
    case "CANCEL_TASK": self = .cancelTask(id: try reader.text())
    case "SERVER", "ERROR", "PING", "NAME": self = .legacy(name: name, argument: try reader.text())
    default: throw ReplicationError(.malformedCommand, "unknown command")
    }
  }

  private static func userSync(_ reader: inout LineReader) throws(ReplicationError) -> ReplicationCommand {
    let instanceID = try reader.word()
    let userID = try reader.word()
    let device = try reader.word()
    let state = try reader.word()
    guard state == "start" || state == "end" else {
      throw ReplicationError(.malformedCommand, "USER_SYNC: neither start nor end")
    }
    return .userSync(
      instanceID: instanceID, userID: userID, deviceID: device == "None" ? nil : device,
      isSyncing: state == "start", lastSyncMilliseconds: try integer(try reader.word()))
  }

  fileprivate static func integer(_ word: Text) throws(ReplicationError) -> Int64 {
    guard let number = Int64(word) else { throw ReplicationError(.malformedCommand, "a number is expected") }
    return number
  }

  fileprivate static func array(_ bytes: [UInt8]) throws(ReplicationError) -> JSONValue {
    guard let value = try? JSONValue.parse(bytes), value.kind == .array else {
      throw ReplicationError(.malformedCommand, "a JSON array is expected")
    }
    return value
  }
}

extension ReplicationCommand.UserIPReport {
  fileprivate init(userID: Text, fields: [UInt8]) throws(ReplicationError) {
    let array = try ReplicationCommand.array(fields)
    guard let token = array[0]?.string, let ip = array[1]?.string, let agent = array[2]?.string,
      let device = array[3], device.isNull || device.string != nil, let seen = array[4]?.integer
    else {
      throw ReplicationError(.malformedCommand, "USER_IP: token, address, agent, device, time are expected")
    }
    self.init(
      userID: userID, accessToken: token, ip: ip, userAgent: agent, deviceID: device.string,
      lastSeenMilliseconds: seen)
  }
}

/// A reader that takes a line apart at its spaces.
struct LineReader {
  private let line: [UInt8]
  private var position = 0

  init(line: [UInt8]) { self.line = line }

  /// Returns the bytes up to the next space, or to the end, as text.
  mutating func word() throws(ReplicationError) -> Text {
    guard position < line.count else { throw ReplicationError(.malformedCommand, "an argument is missing") }
    var end = position
    var isASCII = true
    while end < line.count, line[end] != 0x20 {
      isASCII = isASCII && line[end] < 0x80
      end += 1
    }
    let bytes = line[position..<end]
    position = end < line.count ? end + 1 : end
    // Validating takes as long as all the rest, and nearly every word is one that cannot be wrong.
    let word = isASCII ? Text(decoding: bytes, as: UTF8.self) : Text(validating: bytes, as: UTF8.self)
    guard let word, !bytes.isEmpty else {
      throw ReplicationError(.malformedCommand, "an argument is empty or not UTF-8")
    }
    return word
  }

  /// Returns all that is left, which may be nothing.
  mutating func rest() -> [UInt8] {
    defer { position = line.count }
    guard position < line.count else { return [] }
    return Array(line[position...])
  }

  /// Returns all that is left; nothing left is an error.
  mutating func strictRest() throws(ReplicationError) -> [UInt8] {
    guard position < line.count else { throw ReplicationError(.malformedCommand, "an argument is missing") }
    return rest()
  }

  /// Returns all that is left as text.
  mutating func text() throws(ReplicationError) -> Text {
    guard let text = Text(validating: rest(), as: UTF8.self) else {
      throw ReplicationError(.malformedCommand, "an argument is not UTF-8")
    }
    return text
  }
}
