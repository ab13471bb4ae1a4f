extension JSONWriter {
  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: Text) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: Int64) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: Int) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: Double) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: Bool) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: JSON) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: JSONValue) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value.
  public mutating func member(_ key: Text, _ value: some MatrixIdentifier) {
    self.key(key)
    self.value(value)
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: Text?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: Int64?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: Int?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: Double?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: Bool?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: JSON?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent(_ key: Text, _ value: JSONValue?) {
    if let value { member(key, value) }
  }

  /// Writes a key and its value, or nothing for nil.
  public mutating func memberIfPresent<ID: MatrixIdentifier>(_ key: Text, _ value: ID?) {
    if let value { member(key, value) }
  }

  /// Writes a key and an array of strings.
  public mutating func member(_ key: Text, strings: some Sequence<Text>) {
    self.key(key)
    beginArray()
    for string in strings { value(string) }
    endArray()
  }
}
