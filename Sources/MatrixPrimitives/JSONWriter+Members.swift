extension JSONWriter {
  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: String) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: Int64) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: Int) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: Double) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: Bool) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: JSON) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: JSONValue) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: String, _ value: some MatrixIdentifier) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: String?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: Int64?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: Int?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: Double?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: Bool?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: JSON?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: String, _ value: JSONValue?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent<ID: MatrixIdentifier>(_ key: String, _ value: ID?) {
    if let value { member(key, value) }
  }

  /// Writes a key and an array of strings.
  public mutating func member(_ key: String, strings: some Sequence<String>) {
    self.key(key)
    beginArray()
    for string in strings { value(string) }
    endArray()
  }
}
