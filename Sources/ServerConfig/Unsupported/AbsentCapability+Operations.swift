extension AbsentCapability {
  /// Observation and upkeep of a process as Synapse does them. Go one by one, with what they turn on.
  static let operations = AbsentCapability(
    """
    background_updates
    caches.cache_autotuning
    caches.track_memory_usage
    database.txn_limit
    databases.<name>.txn_limit
    metrics_bind_host
    metrics_flags
    metrics_port
    opentracing
    report_stats
    report_stats_endpoint
    sentry
    server_context
    task_scheduler
    """)
}
