import MatrixPrimitives

extension ReplicationCommand {
  /// Renders the line as it is published, without a newline.
  /// - Throws: `ReplicationError` with `unsendable` when a word holds white space or any argument a newline: such a
  ///   line would be read as something else.
  public func encode() throws(ReplicationError) -> [UInt8] {
    var line = LineWriter(name: name)
    switch self {
    case .rdata(let stream, let instance, let token, let row):
      try line.word(stream.rawValue)
      try line.word(instance)
      if let token { line.number(token) } else { try line.word("batch") }
      try line.rest(row)
    case .position(let stream, let instance, let previous, let new):
      try line.word(stream.rawValue)
      try line.word(instance)
      line.number(previous)
      line.number(new)
    case .replicate:
      try line.rest([])
    case .userSync(let instanceID, let userID, let deviceID, let isSyncing, let lastSync):
      try line.word(instanceID)
      try line.word(userID)
      try line.word(deviceID ?? "None")
      try line.word(isSyncing ? "start" : "end")
      line.number(lastSync)
    case .userIP(let report):
      try line.word(report.userID)
      try line.rest(report.fields)
    case .federationAck(let instance, let token):
      try line.word(instance)
      line.number(token)
    case .lockReleased(let instance, let name, let key):
      var writer = JSONWriter()
      writer.list([instance, name, key])
      try line.rest(writer.bytes)
    case .clearUserSync(let argument), .remoteServerUp(let argument), .newActiveTask(let argument),
      .cancelTask(let argument), .legacy(_, let argument):
      try line.rest(Array(argument.utf8))
    }
    return line.bytes
  }
}

extension ReplicationCommand.UserIPReport {
  /// Token, address, user agent, device and time, in this order.
  fileprivate var fields: [UInt8] {
    var writer = JSONWriter()
    writer.beginArray()
    writer.value(accessToken)
    writer.value(ip)
    writer.value(userAgent)
    writer.nullable(deviceID)
    writer.value(lastSeenMilliseconds)
    writer.endArray()
    return writer.bytes
  }
}

/// A writer that builds a line word by word.
struct LineWriter {
  private(set) var bytes: [UInt8] = []

  init(name: Text) {
    bytes.reserveCapacity(256)
    bytes.append(contentsOf: name.utf8)
  }

  mutating func word(_ word: Text) throws(ReplicationError) {
    guard !word.isEmpty, word.withBytes({ $0.allSatisfy { $0 > 0x20 } }) else {
      throw ReplicationError(.unsendable, "a word of a command is empty or holds white space")
    }
    bytes.append(0x20)
    bytes.append(contentsOf: word.utf8)
  }

  mutating func number(_ number: Int64) {
    bytes.append(0x20)
    bytes.append(contentsOf: Text(number).utf8)
  }

  mutating func rest(_ text: [UInt8]) throws(ReplicationError) {
    guard !text.contains(0x0A) else {
      throw ReplicationError(.unsendable, "an argument of a command holds a newline")
    }
    bytes.append(0x20)
    bytes.append(contentsOf: text)
  }
}
