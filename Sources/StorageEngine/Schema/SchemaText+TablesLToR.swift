extension SchemaText {
  /// The tables whose names begin with l to r. See ``SchemaDescription`` for the form.
  static let tablesLToR = #"""
    table local_current_membership
      room_id text not null
      user_id text not null
      event_id text not null
      membership text not null
      event_stream_ordering bigint
      foreign event_stream_ordering_fkey (event_stream_ordering) REFERENCES events(stream_ordering) NOT VALID
      unique index local_current_membership_idx btree (user_id, room_id)
      index local_current_membership_room_idx btree (room_id)
      index local_current_membership_stream_ordering_idx btree (event_stream_ordering)

    table local_media_repository
      media_id text
      media_type text
      media_length integer
      created_ts bigint
      upload_name text
      user_id text
      quarantined_by text
      url_cache text
      last_access_ts bigint
      safe_from_quarantine boolean not null default false
      authenticated boolean not null default false
      sha256 text
      unique local_media_repository_media_id_key (media_id)
      index local_media_repository_sha256 btree (sha256) where (sha256 IS NOT NULL)
      index local_media_repository_url_idx btree (created_ts) where (url_cache IS NOT NULL)
      index users_have_local_media btree (user_id, created_ts)

    table local_media_repository_thumbnails
      media_id text
      thumbnail_width integer
      thumbnail_height integer
      thumbnail_type text
      thumbnail_method text
      thumbnail_length integer
      unique index local_media_repository_thumbn_media_id_width_height_method_key btree (media_id, thumbnail_width, thumbnail_height, thumbnail_type, thumbnail_method)
      index local_media_repository_thumbnails_media_id btree (media_id)

    table local_media_repository_url_cache
      url text
      response_code integer
      etag text
      expires_ts bigint
      og text
      media_id text
      download_ts bigint
      index local_media_repository_url_cache_by_url_download_ts btree (url, download_ts)
      index local_media_repository_url_cache_expires_idx btree (expires_ts)
      index local_media_repository_url_cache_media_idx btree (media_id)

    table login_tokens
      token text not null
      user_id text not null
      expiry_ts bigint not null
      used_ts bigint
      auth_provider_id text
      auth_provider_session_id text
      primary login_tokens_pkey (token)
      index login_tokens_auth_provider_idx btree (auth_provider_id, auth_provider_session_id)
      index login_tokens_expiry_time_idx btree (expiry_ts)

    table monthly_active_users
      user_id text not null
      timestamp bigint not null
      index monthly_active_users_time_stamp btree ("timestamp")
      unique index monthly_active_users_users btree (user_id)

    table msc4242_state_dag_edges
      room_id text not null
      event_id text not null
      prev_state_event_id text
      foreign msc4242_state_dag_edges_event_id_fkey (event_id) REFERENCES events(event_id)
      foreign msc4242_state_dag_edges_prev_state_event_id_fkey (prev_state_event_id) REFERENCES events(event_id)
      foreign msc4242_state_dag_edges_room_id_fkey (room_id) REFERENCES rooms(room_id) ON DELETE CASCADE
      unique index msc4242_state_dag_edges_key btree (room_id, event_id, prev_state_event_id)

    table msc4242_state_dag_forward_extremities
      room_id text not null
      event_id text not null
      unique msc4242_state_dag_forward_extremities_event_id_key (event_id)
      foreign msc4242_state_dag_forward_extremities_event_id_fkey (event_id) REFERENCES events(event_id) ON DELETE CASCADE
      foreign msc4242_state_dag_forward_extremities_room_id_fkey (room_id) REFERENCES rooms(room_id) ON DELETE CASCADE
      index msc4242_state_dag_room btree (room_id)

    table open_id_tokens
      token text not null
      ts_valid_until_ms bigint not null
      user_id text not null
      primary open_id_tokens_pkey (token)
      index open_id_tokens_ts_valid_until_ms btree (ts_valid_until_ms)

    table partial_state_events
      room_id text not null
      event_id text not null
      unique partial_state_events_event_id_key (event_id)
      foreign partial_state_events_event_id_fkey (event_id) REFERENCES events(event_id)
      foreign partial_state_events_room_id_fkey (room_id) REFERENCES partial_state_rooms(room_id)
      index partial_state_events_room_id_idx btree (room_id)

    table partial_state_rooms
      room_id text not null
      device_lists_stream_id bigint not null default 0
      join_event_id text
      joined_via text
      primary partial_state_rooms_pkey (room_id)
      foreign partial_state_rooms_join_event_id_fkey (join_event_id) REFERENCES events(event_id)
      foreign partial_state_rooms_room_id_fkey (room_id) REFERENCES rooms(room_id)

    table partial_state_rooms_servers
      room_id text not null
      server_name text not null
      unique partial_state_rooms_servers_room_id_server_name_key (room_id, server_name)
      foreign partial_state_rooms_servers_room_id_fkey (room_id) REFERENCES partial_state_rooms(room_id)

    table per_user_experimental_features
      user_id text not null
      feature text not null
      enabled boolean default false
      primary per_user_experimental_features_pkey (user_id, feature)
      foreign per_user_experimental_features_user_id_fkey (user_id) REFERENCES users(name)

    table presence_stream
      stream_id bigint
      user_id text
      state text
      last_active_ts bigint
      last_federation_update_ts bigint
      last_user_sync_ts bigint
      status_msg text
      currently_active boolean
      instance_name text
      index presence_stream_id btree (stream_id, user_id)
      index presence_stream_state_not_offline_idx btree (state) where (state <> 'offline'::text)
      index presence_stream_user_id btree (user_id)

    table profile_updates
      stream_id bigint not null
      instance_name text not null
      user_id text not null
      action text not null
      affected_fields jsonb
      inserted_ts bigint not null
      primary profile_updates_pkey (stream_id)
      index profile_updates_by_user btree (user_id, stream_id)

    table profile_updates_per_user
      stream_id bigint not null
      user_id text not null
      inserted_ts bigint not null
      primary profile_updates_per_user_pkey (user_id, stream_id)
      foreign profile_updates_per_user_stream_id_fkey (stream_id) REFERENCES profile_updates(stream_id)

    table profiles
      user_id text not null
      displayname text
      avatar_url text
      full_user_id text
      fields jsonb
      unique profiles_user_id_key (user_id)
      check full_user_id_not_null ((full_user_id IS NOT NULL))
      unique index profiles_full_user_id_key btree (full_user_id)

    table push_rules
      id bigint not null
      user_name text not null
      rule_id text not null
      priority_class smallint not null
      priority integer not null default 0
      conditions text not null
      actions text not null
      primary push_rules_pkey (id)
      unique push_rules_user_name_rule_id_key (user_name, rule_id)
      index push_rules_user_name btree (user_name)

    table push_rules_enable
      id bigint not null
      user_name text not null
      rule_id text not null
      enabled smallint
      primary push_rules_enable_pkey (id)
      unique push_rules_enable_user_name_rule_id_key (user_name, rule_id)
      index push_rules_enable_user_name btree (user_name)

    table push_rules_stream
      stream_id bigint not null
      event_stream_ordering bigint not null
      user_id text not null
      rule_id text not null
      op text not null
      priority_class smallint
      priority integer
      conditions text
      actions text
      instance_name text
      index push_rules_stream_id btree (stream_id)
      index push_rules_stream_user_stream_id btree (user_id, stream_id)

    table pusher_throttle
      pusher bigint not null
      room_id text not null
      last_sent_ts bigint
      throttle_ms bigint
      primary pusher_throttle_pkey (pusher, room_id)

    table pushers
      id bigint not null
      user_name text not null
      access_token bigint
      profile_tag text not null
      kind text not null
      app_id text not null
      app_display_name text not null
      device_display_name text not null
      pushkey text not null
      ts bigint not null
      lang text
      data text
      last_stream_ordering bigint
      last_success bigint
      failing_since bigint
      enabled boolean
      device_id text
      instance_name text
      primary pushers2_pkey (id)
      unique pushers2_app_id_pushkey_user_name_key (app_id, pushkey, user_name)

    table quarantined_media_changes
      stream_id integer not null
      instance_name text not null
      origin text
      media_id text not null
      quarantined boolean not null
      primary quarantined_media_changes_pkey (stream_id)

    table ratelimit_override
      user_id text not null
      messages_per_second bigint
      burst_count bigint
      unique index ratelimit_override_idx btree (user_id)

    table receipts_graph
      room_id text not null
      receipt_type text not null
      user_id text not null
      event_ids text not null
      data text not null
      thread_id text
      unique receipts_graph_uniqueness_thread (room_id, receipt_type, user_id, thread_id)
      unique index receipts_graph_unique_index btree (room_id, receipt_type, user_id) where (thread_id IS NULL)

    table receipts_linearized
      stream_id bigint not null
      room_id text not null
      receipt_type text not null
      user_id text not null
      event_id text not null
      data text not null
      instance_name text
      event_stream_ordering bigint
      thread_id text
      unique receipts_linearized_uniqueness_thread (room_id, receipt_type, user_id, thread_id)
      index receipts_linearized_event_id btree (room_id, event_id)
      index receipts_linearized_id btree (stream_id)
      index receipts_linearized_room_stream btree (room_id, stream_id)
      unique index receipts_linearized_unique_index btree (room_id, receipt_type, user_id) where (thread_id IS NULL)
      index receipts_linearized_user btree (user_id)

    table received_transactions
      transaction_id text
      origin text
      ts bigint
      response_code integer
      response_json bytea
      has_been_referenced smallint default 0
      unique received_transactions_transaction_id_origin_key (transaction_id, origin)
      index received_transactions_ts btree (ts)

    table redactions
      event_id text not null
      redacts text not null
      have_censored boolean not null default false
      received_ts bigint
      recheck boolean not null default true
      unique redactions_event_id_key (event_id)
      index redactions_have_censored_ts btree (received_ts) where (NOT have_censored)
      index redactions_redacts btree (redacts)

    table refresh_tokens
      id bigint not null
      user_id text not null
      device_id text not null
      token text not null
      next_token_id bigint
      expiry_ts bigint
      ultimate_session_expiry_ts bigint
      primary refresh_tokens_pkey (id)
      unique refresh_tokens_token_key (token)
      foreign refresh_tokens_next_token_id_fkey (next_token_id) REFERENCES refresh_tokens(id) ON DELETE CASCADE
      index refresh_tokens_next_token_id btree (next_token_id) where (next_token_id IS NOT NULL)

    table registration_tokens
      token text not null
      uses_allowed integer
      pending integer not null
      completed integer not null
      expiry_time bigint
      unique registration_tokens_token_key (token)

    table rejections
      event_id text not null
      reason text not null
      last_check text not null
      unique rejections_event_id_key (event_id)

    table remote_media_cache
      media_origin text
      media_id text
      media_type text
      created_ts bigint
      upload_name text
      media_length integer
      filesystem_id text
      last_access_ts bigint
      quarantined_by text
      authenticated boolean not null default false
      sha256 text
      unique remote_media_cache_media_origin_media_id_key (media_origin, media_id)
      index remote_media_cache_sha256 btree (sha256) where (sha256 IS NOT NULL)

    table remote_media_cache_thumbnails
      media_origin text
      media_id text
      thumbnail_width integer
      thumbnail_height integer
      thumbnail_method text
      thumbnail_type text
      thumbnail_length integer
      filesystem_id text
      unique index remote_media_repository_thumbn_media_origin_id_width_height_met btree (media_origin, media_id, thumbnail_width, thumbnail_height, thumbnail_type, thumbnail_method)

    table room_account_data
      user_id text not null
      room_id text not null
      account_data_type text not null
      stream_id bigint not null
      content text not null
      instance_name text
      unique room_account_data_uniqueness (user_id, room_id, account_data_type)
      index room_account_data_room_id btree (room_id)
      index room_account_data_stream_id btree (user_id, stream_id)

    table room_alias_servers
      room_alias text not null
      server text not null
      index room_alias_servers_alias btree (room_alias)

    table room_aliases
      room_alias text not null
      room_id text not null
      creator text
      unique room_aliases_room_alias_key (room_alias)
      index room_aliases_id btree (room_id)

    table room_ban_redactions
      room_id text not null
      user_id text not null
      redacting_event_id text not null
      redact_end_ordering bigint
      unique room_ban_redaction_uniqueness (room_id, user_id)

    table room_depth
      room_id text not null
      min_depth bigint
      unique room_depth_room_id_key (room_id)

    table room_forgetter_stream_pos
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      unique room_forgetter_stream_pos_lock_key (lock)
      check room_forgetter_stream_pos_lock_check ((lock = 'X'::bpchar))

    table room_memberships
      event_id text not null
      user_id text not null
      sender text not null
      room_id text not null
      membership text not null
      forgotten integer default 0
      display_name text
      avatar_url text
      event_stream_ordering bigint
      participant boolean default false
      unique room_memberships_event_id_key (event_id)
      foreign event_stream_ordering_fkey (event_stream_ordering) REFERENCES events(stream_ordering) NOT VALID
      index room_membership_user_room_idx btree (user_id, room_id)
      index room_memberships_room_id btree (room_id)
      index room_memberships_stream_ordering_idx btree (event_stream_ordering)
      index room_memberships_user_id btree (user_id)
      index room_memberships_user_room_forgotten btree (user_id, room_id) where (forgotten = 1)

    table room_reports
      id bigint not null
      received_ts bigint not null
      room_id text not null
      user_id text not null
      reason text not null
      primary room_reports_pkey (id)

    table room_retention
      room_id text not null
      event_id text not null
      min_lifetime bigint
      max_lifetime bigint
      primary room_retention_pkey (room_id, event_id)
      index room_retention_max_lifetime_idx btree (max_lifetime)

    table room_stats_current
      room_id text not null
      current_state_events integer not null
      joined_members integer not null
      invited_members integer not null
      left_members integer not null
      banned_members integer not null
      local_users_in_room integer not null
      completed_delta_stream_id bigint not null
      knocked_members integer
      primary room_stats_current_pkey (room_id)

    table room_stats_earliest_token
      room_id text not null
      token bigint not null
      unique index room_stats_earliest_token_idx btree (room_id)

    table room_stats_state
      room_id text not null
      name text
      canonical_alias text
      join_rules text
      history_visibility text
      encryption text
      avatar text
      guest_access text
      is_federatable boolean
      topic text
      room_type text
      unique index room_stats_state_room btree (room_id)

    table room_tags
      user_id text not null
      room_id text not null
      tag text not null
      content text not null
      unique room_tag_uniqueness (user_id, room_id, tag)

    table room_tags_revisions
      user_id text not null
      room_id text not null
      stream_id bigint not null
      instance_name text
      unique room_tag_revisions_uniqueness (user_id, room_id)

    table rooms
      room_id text not null
      is_public boolean
      creator text
      room_version text
      has_auth_chain_index boolean
      primary rooms_pkey (room_id)
      index public_room_index btree (is_public)
    """#
}
