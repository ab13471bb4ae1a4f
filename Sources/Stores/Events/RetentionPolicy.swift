import MatrixEvents

/// The time for which a room's events are kept, as `m.room.retention` says.
package struct RetentionPolicy: Sendable {
  /// The least time in milliseconds.
  let minimum: Int64?
  /// The greatest time in milliseconds.
  let maximum: Int64?

  /// Reads a policy; nil when the event is none, says nothing, or says something other than integers.
  package init?(_ event: Event) {
    guard event.type == "m.room.retention", event.isState else { return nil }
    let (low, high) = (event.content["min_lifetime"], event.content["max_lifetime"])
    guard low != nil || high != nil else { return nil }
    if let low, low.kind != .integer { return nil }
    if let high, high.kind != .integer { return nil }
    minimum = low?.integer
    maximum = high?.integer
  }
}
