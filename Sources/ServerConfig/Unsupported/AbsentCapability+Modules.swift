extension AbsentCapability {
  /// Extensions written in Python, which this server cannot load. Stay, unless there are extensions of another kind.
  static let modules = AbsentCapability(
    """
    ldap_config
    listeners[].additional_resources
    modules
    password_providers
    spam_checker
    third_party_event_rules
    worker_listeners[].additional_resources
    """,
    guards: [
      Guard("modules", .isSet, "nothing would be checked by these modules"),
      Guard("password_providers", .isSet, "nothing would be checked by these modules"),
      Guard("spam_checker", .isSet, "nothing would be checked by this module"),
      Guard("third_party_event_rules", .isSet, "nothing would be checked by this module"),
    ])
}
