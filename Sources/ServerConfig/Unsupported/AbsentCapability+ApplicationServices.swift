extension AbsentCapability {
  /// Bridges and bots with namespaces. Go with the application service API.
  static let applicationServices = AbsentCapability(
    """
    app_service_config_files
    mau_appservice_trial_days
    notify_appservices
    notify_appservices_from_worker
    track_appservice_user_ips
    use_appservice_legacy_authorization
    """,
    guards: [
      Guard(
        "app_service_config_files", .isSet, "anybody could take the names that application services have for themselves"
      )
    ])
}
