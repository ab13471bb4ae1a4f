import ByteText

extension KnownKeys {
  /// Names settings that exist in Synapse and have no effect here, with all that is below them. `[]` stands for any element of a list,
  /// `<name>` for any name.
  static let withoutEffect = Set(
    """
    account_threepid_delegates
    account_validity
    admin_contact
    allow_device_name_lookup_over_federation
    allow_profile_lookup_over_federation
    allow_public_rooms_over_federation
    allowed_avatar_mimetypes
    allowed_local_3pids
    app_service_config_files
    auto_accept_invites
    auto_join_mxid_localpart
    auto_join_rooms
    auto_join_rooms_for_guests
    autocreate_auto_join_room_preset
    autocreate_auto_join_rooms
    autocreate_auto_join_rooms_federated
    background_updates
    backup_media_store_path
    bind_host
    bind_port
    caches.cache_autotuning
    caches.track_memory_usage
    cas_config
    cleanup_extremities_with_dummy_events
    database.txn_limit
    database_path
    databases.<name>.txn_limit
    default_identity_server
    delete_stale_devices_after
    disable_msisdn_registration
    dont_notify_new_devices_for
    dummy_events_threshold
    dynamic_thumbnails
    email
    enable_3pid_changes
    enable_3pid_lookup
    enable_authenticated_media
    enable_ephemeral_messages
    enable_local_media_storage
    enable_media_repo
    enable_registration_captcha
    enable_registration_token_3pid_bypass
    exclude_rooms_from_presence
    federation
    federation_certificate_verification_whitelist
    federation_client_minimum_tls_version
    federation_custom_ca_list
    federation_domain_whitelist
    federation_ip_range_blacklist
    federation_metrics_domains
    federation_rc_concurrent
    federation_rc_reject_limit
    federation_rc_sleep_delay
    federation_rc_sleep_limit
    federation_rc_window_size
    federation_rr_transactions_per_room_per_second
    federation_sender_instances
    federation_verify_certificates
    federation_whitelist_endpoint_enabled
    forgotten_room_retention_period
    gc_min_interval
    gc_thresholds
    gzip_responses
    hs_disabled
    hs_disabled_message
    http_proxy
    https_proxy
    include_profile_updates_in_sync
    invite_3pid_guest
    ip_range_blacklist
    ip_range_whitelist
    jwt_config
    key_refresh_interval
    key_server_signing_keys_path
    ldap_config
    limit_remote_rooms
    limit_usage_by_mau
    listeners[].additional_resources
    login_via_existing_session
    manhole
    manhole_settings
    matrix_authentication_service
    matrix_rtc
    mau_appservice_trial_days
    mau_limit_alerting
    mau_limit_reserved_threepids
    mau_stats_only
    mau_trial_days
    max_avatar_size
    max_event_delay_duration
    max_image_pixels
    max_mau_value
    max_pending_media_uploads
    max_spider_size
    media_instance_running_background_jobs
    media_retention
    media_storage_providers
    media_store_path
    media_upload_limits
    metrics_bind_host
    metrics_flags
    metrics_port
    modules
    next_link_domain_whitelist
    no_proxy_hosts
    no_tls
    notify_appservices
    notify_appservices_from_worker
    oembed
    oidc_config
    oidc_providers
    old_signing_keys
    opentracing
    outbound_federation_restricted_to
    password_providers
    perspectives
    presence.presence_router
    prevent_media_downloads_from
    push.group_unread_count_by_room
    push.include_content
    push.jitter_delay
    push.redact_content
    push_rules
    pusher_instances
    rc_3pid_validation
    rc_delayed_event_mgmt
    rc_federation
    rc_joins.remote
    rc_key_requests
    rc_media_create
    rc_reports
    rc_third_party_invite
    rc_user_directory
    recaptcha_private_key
    recaptcha_private_key_path
    recaptcha_public_key
    recaptcha_public_key_path
    recaptcha_siteverify_api
    redaction_allowed_period
    registrations_require_3pid
    remote_media_download_burst_count
    remote_media_download_per_second
    replication_torture_level
    report_stats
    report_stats_endpoint
    request_token_inhibit_3pid_errors
    retention
    saml2_config
    send_federation
    sentry
    serve_server_wellknown
    server_context
    server_notices
    spam_checker
    sso
    start_pushers
    stats
    synchronous_backup_media_store
    task_scheduler
    templates
    third_party_event_rules
    thumbnail_sizes
    track_appservice_user_ips
    track_puppeted_user_ips
    trust_identity_server_for_password_resets
    trusted_key_servers
    turn_allow_guests
    turn_password
    turn_shared_secret
    turn_shared_secret_path
    turn_uris
    turn_user_lifetime
    turn_username
    ui_auth
    unsecure_port
    unused_expiration_time
    update_user_directory
    update_user_directory_from_worker
    url_preview_accept_language
    url_preview_enabled
    url_preview_ip_range_blacklist
    url_preview_ip_range_whitelist
    url_preview_url_blacklist
    use_account_validity_in_account_status
    use_appservice_legacy_authorization
    use_frozen_dicts
    use_insecure_ssl_client_just_for_testing_do_not_use
    user_agent_suffix
    user_consent
    user_directory
    user_types
    web_client_location
    worker_listeners[].additional_resources
    worker_main_http_uri
    worker_manhole
    """.words)

  /// Names the switches of `experimental_features` that are followed; any other that is on has no effect.
  static let followedExperiments: Set<Text> = ["msc2654_enabled", "msc3866", "msc4155_enabled"]

  /// Lists settings that shut something, which is open to everybody where they have no effect.
  static let guards: [Guard] = [
    Guard("account_validity.enabled", .isTrue, "accounts would not expire"),
    Guard("allowed_avatar_mimetypes", .isSet, "avatars of every type would be accepted"),
    Guard(
      "app_service_config_files", .isSet, "anybody could take the names that application services have for themselves"),
    Guard("delete_stale_devices_after", .isSet, "devices that nobody uses would stay logged in"),
    Guard("enable_ephemeral_messages", .isTrue, "messages would not vanish"),
    Guard("enable_registration_captcha", .isTrue, "programs could register"),
    Guard("exclude_rooms_from_presence", .isSet, "presence would be shown to members of these rooms"),
    Guard("experimental_features.msc3861", .isSet, "accounts would be this server's own"),
    Guard("forgotten_room_retention_period", .isSet, "forgotten rooms would stay in the database"),
    Guard("hs_disabled", .isTrue, "the server would serve everybody"),
    Guard("limit_usage_by_mau", .isTrue, "the number of users would have no limit"),
    Guard("matrix_authentication_service.enabled", .isTrue, "accounts would be this server's own"),
    Guard("max_avatar_size", .isSet, "avatars of every size would be accepted"),
    Guard("modules", .isSet, "nothing would be checked by these modules"),
    Guard("password_providers", .isSet, "nothing would be checked by these modules"),
    Guard("registrations_require_3pid", .isSet, "accounts could be registered without"),
    Guard("retention.enabled", .isTrue, "messages would stay for ever"),
    Guard("spam_checker", .isSet, "nothing would be checked by this module"),
    Guard("third_party_event_rules", .isSet, "nothing would be checked by this module"),
    Guard("user_consent.block_events_error", .isSet, "users could send without having agreed"),
    Guard("user_consent.require_at_registration", .isTrue, "users could register without having agreed"),
  ]
}
