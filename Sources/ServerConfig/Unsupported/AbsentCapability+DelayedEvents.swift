extension AbsentCapability {
  /// Events to be sent later. Go with MSC4140.
  static let delayedEvents = AbsentCapability(
    """
    max_event_delay_duration
    rc_delayed_event_mgmt
    """)
}
