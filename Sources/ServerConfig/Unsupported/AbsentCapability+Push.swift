extension AbsentCapability {
  /// Notifications to push gateways. Go with pushers.
  static let push = AbsentCapability(
    """
    push.group_unread_count_by_room
    push.include_content
    push.jitter_delay
    push.redact_content
    pusher_instances
    start_pushers
    """)
}
