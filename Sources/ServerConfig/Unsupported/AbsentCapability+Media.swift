extension AbsentCapability {
  /// Files, pictures and previews of links. Go with the media repository.
  static let media = AbsentCapability(
    """
    backup_media_store_path
    dynamic_thumbnails
    enable_authenticated_media
    enable_local_media_storage
    enable_media_repo
    max_image_pixels
    max_pending_media_uploads
    max_spider_size
    media_instance_running_background_jobs
    media_retention
    media_storage_providers
    media_store_path
    media_upload_limits
    oembed
    prevent_media_downloads_from
    rc_media_create
    remote_media_download_burst_count
    remote_media_download_per_second
    synchronous_backup_media_store
    thumbnail_sizes
    unused_expiration_time
    url_preview_accept_language
    url_preview_enabled
    url_preview_ip_range_blacklist
    url_preview_ip_range_whitelist
    url_preview_url_blacklist
    """)
}
