extension AbsentCapability {
  /// What means nothing outside Synapse: its interpreter, its console, forms of settings that it has given up. Stay.
  static let python = AbsentCapability(
    """
    bind_host
    bind_port
    database_path
    gc_min_interval
    gc_thresholds
    gzip_responses
    manhole
    manhole_settings
    no_tls
    push_rules
    replication_torture_level
    unsecure_port
    use_frozen_dicts
    web_client_location
    worker_main_http_uri
    worker_manhole
    """)
}
