import YAML

/// Knows the settings of Synapse 1.163.2 that this server does not follow, to tell them from misspelt ones.
///
/// What the settings' readers ask for needs no entry here, unless the feature behind it is not there yet.
enum KnownKeys {
  /// Names settings that exist in Synapse and have no effect here.
  static let withoutEffect = Set(
    """
    account_threepid_delegates account_validity admin_contact allow_device_name_lookup_over_federation \
    allow_guest_access allow_profile_lookup_over_federation allow_public_rooms_over_federation \
    allowed_avatar_mimetypes allowed_local_3pids app_service_config_files auto_accept_invites \
    auto_join_mxid_localpart auto_join_rooms auto_join_rooms_for_guests autocreate_auto_join_room_preset \
    autocreate_auto_join_rooms autocreate_auto_join_rooms_federated background_updates backup_media_store_path \
    bind_host bind_port caches.cache_autotuning caches.expiry_time caches.track_memory_usage cas_config \
    cleanup_extremities_with_dummy_events database_path default_identity_server delete_stale_devices_after \
    disable_msisdn_registration dont_notify_new_devices_for dummy_events_threshold dynamic_thumbnails email \
    enable_3pid_changes enable_3pid_lookup enable_authenticated_media enable_ephemeral_messages \
    enable_local_media_storage enable_media_repo enable_registration_captcha enable_registration_token_3pid_bypass \
    event_cache_size exclude_rooms_from_presence federation federation_certificate_verification_whitelist \
    federation_client_minimum_tls_version federation_custom_ca_list federation_domain_whitelist \
    federation_ip_range_blacklist federation_metrics_domains federation_rc_concurrent federation_rc_reject_limit \
    federation_rc_sleep_delay federation_rc_sleep_limit federation_rc_window_size \
    federation_rr_transactions_per_room_per_second federation_verify_certificates \
    federation_whitelist_endpoint_enabled forgotten_room_retention_period gzip_responses hs_disabled \
    hs_disabled_message http_proxy https_proxy include_profile_updates_in_sync invite_3pid_guest ip_range_blacklist \
    ip_range_whitelist jwt_config key_refresh_interval key_server_signing_keys_path ldap_config limit_remote_rooms \
    limit_usage_by_mau login_via_existing_session manhole manhole_settings matrix_authentication_service matrix_rtc \
    mau_appservice_trial_days mau_limit_alerting mau_limit_reserved_threepids mau_stats_only mau_trial_days \
    max_avatar_size max_event_delay_duration max_image_pixels max_mau_value max_pending_media_uploads \
    max_spider_size media_instance_running_background_jobs media_retention media_storage_providers media_store_path \
    media_upload_limits metrics_bind_host metrics_flags metrics_port modules next_link_domain_whitelist \
    no_proxy_hosts no_tls oembed oidc_config oidc_providers old_signing_keys opentracing \
    outbound_federation_restricted_to password_providers perspectives presence.presence_router \
    prevent_media_downloads_from push.redact_content push_rules rc_3pid_validation rc_delayed_event_mgmt \
    rc_federation rc_key_requests rc_media_create rc_reports rc_user_directory recaptcha_private_key \
    recaptcha_private_key_path recaptcha_public_key recaptcha_public_key_path recaptcha_siteverify_api \
    redaction_allowed_period registrations_require_3pid remote_media_download_burst_count \
    remote_media_download_per_second replication_torture_level request_token_inhibit_3pid_errors retention \
    saml2_config sentry serve_server_wellknown server_context server_notices spam_checker sso stats structured \
    synchronous_backup_media_store templates third_party_event_rules thumbnail_sizes track_appservice_user_ips \
    track_puppeted_user_ips trusted_key_servers turn_allow_guests turn_password turn_shared_secret \
    turn_shared_secret_path turn_uris turn_user_lifetime turn_username unsecure_port unused_expiration_time \
    url_preview_accept_language url_preview_enabled url_preview_ip_range_blacklist url_preview_ip_range_whitelist \
    url_preview_url_blacklist use_account_validity_in_account_status use_appservice_legacy_authorization \
    use_insecure_ssl_client_just_for_testing_do_not_use user_consent user_directory user_types web_client_location \
    worker_manhole
    """.split(separator: " ").map(String.init))

  /// Makes one line for every setting without effect and for every key that Synapse does not know either.
  static func warnings(_ root: SettingsSection) -> [String] {
    let unread = root.unread()
    var seen: Set<String> = []
    var lines: [String] = []
    for entry in root.written + unread where seen.insert(entry.name).inserted {
      if withoutEffect.contains(entry.name) {
        lines.append("\(entry.mark): \(entry.name): this setting of Synapse is not supported and has no effect")
      } else if unread.contains(where: { $0.name == entry.name }) {
        lines.append("\(entry.mark): \(entry.name): unknown setting, ignored")
      }
    }
    return lines
  }
}
