extension AbsentCapability {
  /// Keys of devices. Go with the end-to-end encryption API.
  static let encryption = AbsentCapability(
    """
    delete_stale_devices_after
    dont_notify_new_devices_for
    """,
    guards: [
      Guard("delete_stale_devices_after", .isSet, "devices that nobody uses would stay logged in")
    ])
}
