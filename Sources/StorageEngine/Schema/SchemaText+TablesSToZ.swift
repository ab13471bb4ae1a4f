extension SchemaText {
  /// The tables whose names begin with s to z. See ``SchemaDescription`` for the form.
  static let tablesSToZ = #"""
    table scheduled_tasks
      id text not null
      action text not null
      status text not null
      timestamp bigint not null
      resource_id text
      params text
      result text
      error text
      primary scheduled_tasks_pkey (id)
      index scheduled_tasks_status btree (status)
      index scheduled_tasks_timestamp btree ("timestamp")

    table schema_compat_version
      lock character(1) not null default 'X'::bpchar
      compat_version integer not null
      unique schema_compat_version_lock_key (lock)
      check schema_compat_version_lock_check ((lock = 'X'::bpchar))

    table schema_version
      lock character(1) not null default 'X'::bpchar
      version integer not null
      upgraded boolean not null
      unique schema_version_lock_key (lock)
      check schema_version_lock_check ((lock = 'X'::bpchar))

    table server_keys_json
      server_name text not null
      key_id text not null
      from_server text not null
      ts_added_ms bigint not null
      ts_valid_until_ms bigint not null
      key_json bytea not null
      unique server_keys_json_uniqueness (server_name, key_id, from_server)

    table server_signature_keys
      server_name text
      key_id text
      from_server text
      ts_added_ms bigint
      verify_key bytea
      ts_valid_until_ms bigint
      unique server_signature_keys_server_name_key_id_key (server_name, key_id)

    table sessions
      session_type text not null
      session_id text not null
      value text not null
      expiry_time_ms bigint not null
      unique sessions_session_type_session_id_key (session_type, session_id)

    table sliding_sync_connection_lazy_members
      connection_key bigint not null
      connection_position bigint
      room_id text not null
      user_id text not null
      last_seen_ts bigint not null
      foreign sliding_sync_connection_lazy_members_connection_key_fkey (connection_key) REFERENCES sliding_sync_connections(connection_key) ON DELETE CASCADE
      foreign sliding_sync_connection_lazy_members_connection_position_fkey (connection_position) REFERENCES sliding_sync_connection_positions(connection_position) ON DELETE CASCADE
      index sliding_sync_connection_lazy_members_conn_pos_idx btree (connection_position) where (connection_position IS NOT NULL)
      unique index sliding_sync_connection_lazy_members_idx btree (connection_key, room_id, user_id)
      index sliding_sync_connection_lazy_members_pos_idx btree (connection_key, connection_position) where (connection_position IS NOT NULL)

    table sliding_sync_connection_positions
      connection_position bigint not null identity
      connection_key bigint not null
      created_ts bigint not null
      primary sliding_sync_connection_positions_pkey (connection_position)
      foreign sliding_sync_connection_positions_connection_key_fkey (connection_key) REFERENCES sliding_sync_connections(connection_key) ON DELETE CASCADE
      index sliding_sync_connection_positions_key btree (connection_key)
      index sliding_sync_connection_positions_ts_idx btree (created_ts)

    table sliding_sync_connection_required_state
      required_state_id bigint not null identity
      connection_key bigint not null
      required_state text not null
      primary sliding_sync_connection_required_state_pkey (required_state_id)
      foreign sliding_sync_connection_required_state_connection_key_fkey (connection_key) REFERENCES sliding_sync_connections(connection_key) ON DELETE CASCADE
      index sliding_sync_connection_required_state_conn_pos btree (connection_key)

    table sliding_sync_connection_room_configs
      connection_position bigint not null
      room_id text not null
      timeline_limit bigint not null
      required_state_id bigint not null
      foreign sliding_sync_connection_room_configs_connection_position_fkey (connection_position) REFERENCES sliding_sync_connection_positions(connection_position) ON DELETE CASCADE
      foreign sliding_sync_connection_room_configs_required_state_id_fkey (required_state_id) REFERENCES sliding_sync_connection_required_state(required_state_id)
      unique index sliding_sync_connection_room_configs_idx btree (connection_position, room_id)
      index sliding_sync_connection_room_configs_required_state_id_idx btree (required_state_id)

    table sliding_sync_connection_streams
      connection_position bigint not null
      stream text not null
      room_id text not null
      room_status text not null
      last_token text
      foreign sliding_sync_connection_streams_connection_position_fkey (connection_position) REFERENCES sliding_sync_connection_positions(connection_position) ON DELETE CASCADE
      unique index sliding_sync_connection_streams_idx btree (connection_position, room_id, stream)

    table sliding_sync_connections
      connection_key bigint not null identity
      user_id text not null
      effective_device_id text not null
      conn_id text not null
      created_ts bigint not null
      last_used_ts bigint
      primary sliding_sync_connections_pkey (connection_key)
      index sliding_sync_connections_idx btree (user_id, effective_device_id, conn_id)
      index sliding_sync_connections_last_used_ts_idx btree (last_used_ts) where (last_used_ts IS NOT NULL)
      index sliding_sync_connections_ts_idx btree (created_ts)

    table sliding_sync_joined_rooms
      room_id text not null
      event_stream_ordering bigint not null
      bump_stamp bigint
      room_type text
      room_name text
      is_encrypted boolean not null default false
      tombstone_successor_room_id text
      primary sliding_sync_joined_rooms_pkey (room_id)
      foreign sliding_sync_joined_rooms_event_stream_ordering_fkey (event_stream_ordering) REFERENCES events(stream_ordering)
      foreign sliding_sync_joined_rooms_room_id_fkey (room_id) REFERENCES rooms(room_id)
      unique index sliding_sync_joined_rooms_event_stream_ordering btree (event_stream_ordering)

    table sliding_sync_joined_rooms_to_recalculate
      room_id text not null
      primary sliding_sync_joined_rooms_to_recalculate_pkey (room_id)
      foreign sliding_sync_joined_rooms_to_recalculate_room_id_fkey (room_id) REFERENCES rooms(room_id)

    table sliding_sync_membership_snapshots
      room_id text not null
      user_id text not null
      sender text not null
      membership_event_id text not null
      membership text not null
      forgotten integer not null default 0
      event_stream_ordering bigint not null
      event_instance_name text not null
      has_known_state boolean not null default false
      room_type text
      room_name text
      is_encrypted boolean not null default false
      tombstone_successor_room_id text
      primary sliding_sync_membership_snapshots_pkey (room_id, user_id)
      foreign sliding_sync_membership_snapshots_event_stream_ordering_fkey (event_stream_ordering) REFERENCES events(stream_ordering)
      foreign sliding_sync_membership_snapshots_membership_event_id_fkey (membership_event_id) REFERENCES events(event_id)
      foreign sliding_sync_membership_snapshots_room_id_fkey (room_id) REFERENCES rooms(room_id)
      unique index sliding_sync_membership_snapshots_event_stream_ordering btree (event_stream_ordering)
      index sliding_sync_membership_snapshots_membership_event_id_idx btree (membership_event_id)
      index sliding_sync_membership_snapshots_user_id_stream_ordering btree (user_id, event_stream_ordering)

    table state_events
      event_id text not null
      room_id text not null
      type text not null
      state_key text not null
      prev_state text
      unique state_events_event_id_key (event_id)

    table state_group_edges
      state_group bigint not null
      prev_state_group bigint not null
      index state_group_edges_prev_idx btree (prev_state_group)
      unique index state_group_edges_unique_idx btree (state_group, prev_state_group)

    table state_groups
      id bigint not null
      room_id text not null
      event_id text not null
      primary state_groups_pkey (id)
      index state_groups_room_id_idx btree (room_id)

    table state_groups_pending_deletion
      sequence_number bigint not null identity
      state_group bigint not null
      insertion_ts bigint not null
      primary state_groups_pending_deletion_pkey (sequence_number)
      index state_groups_pending_deletion_insertion_ts btree (insertion_ts)
      unique index state_groups_pending_deletion_state_group btree (state_group)

    table state_groups_persisting
      state_group bigint not null
      instance_name text not null
      inserted_ts bigint not null default (EXTRACT(epoch FROM now()) * (1000)::numeric)
      primary state_groups_persisting_pkey (state_group, instance_name)
      index state_groups_persisting_instance_name btree (instance_name)

    table state_groups_state
      state_group bigint not null
      room_id text not null
      type text not null
      state_key text not null
      event_id text not null
      index state_groups_state_type_idx btree (state_group, type, state_key)

    table stats_incremental_position
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      unique stats_incremental_position_lock_key (lock)
      check stats_incremental_position_lock_check ((lock = 'X'::bpchar))

    table sticky_events
      stream_id integer not null
      instance_name text not null
      event_id text not null
      room_id text not null
      event_stream_ordering integer not null
      sender text not null
      expires_at bigint not null
      primary sticky_events_pkey (stream_id)
      unique sticky_events_event_stream_ordering_key (event_stream_ordering)
      index sticky_events_room_idx btree (room_id, event_stream_ordering)

    table stream_ordering_to_exterm
      stream_ordering bigint not null
      room_id text not null
      event_id text not null
      index stream_ordering_to_exterm_idx btree (stream_ordering)
      index stream_ordering_to_exterm_rm_idx btree (room_id, stream_ordering)

    table stream_positions
      stream_name text not null
      instance_name text not null
      stream_id bigint not null
      unique index stream_positions_idx btree (stream_name, instance_name)

    table thread_subscriptions
      stream_id integer not null
      instance_name text not null
      room_id text not null
      event_id text not null
      user_id text not null
      subscribed boolean not null
      automatic boolean not null
      unsubscribed_at_stream_ordering bigint
      unsubscribed_at_topological_ordering bigint
      primary thread_subscriptions_pkey (stream_id)
      unique thread_subscriptions_room_id_event_id_user_id_key (room_id, event_id, user_id)
      foreign thread_subscriptions_fk_events (event_id) REFERENCES events(event_id) ON DELETE CASCADE
      foreign thread_subscriptions_fk_rooms (room_id) REFERENCES rooms(room_id) ON DELETE CASCADE
      foreign thread_subscriptions_fk_users (user_id) REFERENCES users(name)
      index thread_subscriptions_by_event btree (event_id)
      index thread_subscriptions_by_user btree (user_id, stream_id)
      index thread_subscriptions_user_room btree (user_id, room_id)

    table threads
      room_id text not null
      thread_id text not null
      latest_event_id text not null
      topological_ordering bigint not null
      stream_ordering bigint not null
      unique threads_uniqueness (room_id, thread_id)
      index threads_ordering_idx btree (room_id, topological_ordering, stream_ordering)

    table threepid_guest_access_tokens
      medium text
      address text
      guest_access_token text
      first_inviter text
      unique index threepid_guest_access_tokens_index btree (medium, address)

    table threepid_validation_session
      session_id text not null
      medium text not null
      address text not null
      client_secret text not null
      last_send_attempt bigint not null
      validated_at bigint
      primary threepid_validation_session_pkey (session_id)

    table threepid_validation_token
      token text not null
      session_id text not null
      next_link text
      expires bigint not null
      primary threepid_validation_token_pkey (token)
      index threepid_validation_token_session_id btree (session_id)

    table timeline_gaps
      room_id text not null
      instance_name text not null
      stream_ordering bigint not null
      index timeline_gaps_room_id btree (room_id, stream_ordering)

    table ui_auth_sessions
      session_id text not null
      creation_time bigint not null
      serverdict text not null
      clientdict text not null
      uri text not null
      method text not null
      description text not null
      unique ui_auth_sessions_session_id_key (session_id)

    table ui_auth_sessions_credentials
      session_id text not null
      stage_type text not null
      result text not null
      unique ui_auth_sessions_credentials_session_id_stage_type_key (session_id, stage_type)
      foreign ui_auth_sessions_credentials_session_id_fkey (session_id) REFERENCES ui_auth_sessions(session_id)

    table ui_auth_sessions_ips
      session_id text not null
      ip text not null
      user_agent text not null
      unique ui_auth_sessions_ips_session_id_ip_user_agent_key (session_id, ip, user_agent)
      foreign ui_auth_sessions_ips_session_id_fkey (session_id) REFERENCES ui_auth_sessions(session_id)

    table un_partial_stated_event_stream
      stream_id bigint not null
      instance_name text not null
      event_id text not null
      rejection_status_changed boolean not null
      primary un_partial_stated_event_stream_pkey (stream_id)
      foreign un_partial_stated_event_stream_event_id_fkey (event_id) REFERENCES events(event_id) ON DELETE CASCADE
      unique index un_partial_stated_event_stream_room_id btree (event_id)

    table un_partial_stated_room_stream
      stream_id bigint not null
      instance_name text not null
      room_id text not null
      primary un_partial_stated_room_stream_pkey (stream_id)
      foreign un_partial_stated_room_stream_room_id_fkey (room_id) REFERENCES rooms(room_id) ON DELETE CASCADE
      index un_partial_stated_room_stream_room_id btree (room_id)

    table user_daily_visits
      user_id text not null
      device_id text
      timestamp bigint not null
      user_agent text
      index user_daily_visits_ts_idx btree ("timestamp")
      index user_daily_visits_uts_idx btree (user_id, "timestamp")

    table user_directory
      user_id text not null
      room_id text
      display_name text
      avatar_url text
      index user_directory_room_idx btree (room_id)
      unique index user_directory_user_idx btree (user_id)

    table user_directory_search
      user_id text not null
      vector tsvector
      index user_directory_search_fts_idx gin (vector)
      unique index user_directory_search_user_idx btree (user_id)

    table user_directory_stale_remote_users
      user_id text not null
      user_server_name text not null
      next_try_at_ts bigint not null
      retry_counter integer not null
      primary user_directory_stale_remote_users_pkey (user_id)
      index user_directory_stale_remote_users_next_try_by_server_idx btree (user_server_name, next_try_at_ts)
      index user_directory_stale_remote_users_next_try_idx btree (next_try_at_ts, user_server_name)

    table user_directory_stream_pos
      lock character(1) not null default 'X'::bpchar
      stream_id bigint
      unique user_directory_stream_pos_lock_key (lock)
      check user_directory_stream_pos_lock_check ((lock = 'X'::bpchar))

    table user_external_ids
      auth_provider text not null
      external_id text not null
      user_id text not null
      unique user_external_ids_auth_provider_external_id_key (auth_provider, external_id)
      index user_external_ids_user_id_idx btree (user_id)

    table user_filters
      user_id text not null
      filter_id bigint not null
      filter_json bytea not null
      full_user_id text
      check full_user_id_not_null ((full_user_id IS NOT NULL))
      unique index full_users_unique_idx btree (full_user_id, filter_id)
      unique index user_filters_unique btree (user_id, filter_id)

    table user_ips
      user_id text not null
      access_token text not null
      device_id text
      ip text not null
      user_agent text not null
      last_seen bigint not null
      index user_ips_device_id btree (user_id, device_id, last_seen)
      index user_ips_last_seen btree (user_id, last_seen)
      index user_ips_last_seen_only btree (last_seen)
      unique index user_ips_user_token_ip_unique_index btree (user_id, access_token, ip)

    table user_reports
      id bigint not null
      received_ts bigint not null
      target_user_id text not null
      user_id text not null
      reason text not null
      primary user_reports_pkey (id)
      index user_reports_target_user_id btree (target_user_id)
      index user_reports_user_id btree (user_id)

    table user_signature_stream
      stream_id bigint not null
      from_user_id text not null
      user_ids text not null
      instance_name text
      unique index user_signature_stream_idx btree (stream_id)

    table user_stats_current
      user_id text not null
      joined_rooms bigint not null
      completed_delta_stream_id bigint not null
      primary user_stats_current_pkey (user_id)

    table user_threepid_id_server
      user_id text not null
      medium text not null
      address text not null
      id_server text not null
      unique index user_threepid_id_server_idx btree (user_id, medium, address, id_server)

    table user_threepids
      user_id text not null
      medium text not null
      address text not null
      validated_at bigint not null
      added_at bigint not null
      unique medium_address (medium, address)
      index user_threepids_medium_address btree (medium, address)
      index user_threepids_user_id btree (user_id)

    table users
      name text
      password_hash text
      creation_ts bigint
      admin smallint not null default 0
      upgrade_ts bigint
      is_guest smallint not null default 0
      appservice_id text
      consent_version text
      consent_server_notice_sent text
      user_type text
      deactivated smallint not null default 0
      shadow_banned boolean
      consent_ts bigint
      approved boolean
      locked boolean not null default false
      suspended boolean not null default false
      unique users_name_key (name)
      index users_creation_ts btree (creation_ts)

    table users_in_public_rooms
      user_id text not null
      room_id text not null
      index users_in_public_rooms_r_idx btree (room_id)
      unique index users_in_public_rooms_u_idx btree (user_id, room_id)

    table users_pending_deactivation
      user_id text not null

    table users_to_send_full_presence_to
      user_id text not null
      presence_stream_id bigint
      primary users_to_send_full_presence_to_pkey (user_id)
      foreign users_to_send_full_presence_to_user_id_fkey (user_id) REFERENCES users(name)

    table users_who_share_private_rooms
      user_id text not null
      other_user_id text not null
      room_id text not null
      index users_who_share_private_rooms_o_idx btree (other_user_id)
      index users_who_share_private_rooms_r_idx btree (room_id)
      unique index users_who_share_private_rooms_u_idx btree (user_id, other_user_id, room_id)

    table worker_locks
      lock_name text not null
      lock_key text not null
      instance_name text not null
      token text not null
      last_renewed_ts bigint not null
      unique index worker_locks_key btree (lock_name, lock_key)

    unlogged table worker_read_write_locks
      lock_name text not null
      lock_key text not null
      instance_name text not null
      write_lock boolean not null
      token text not null
      last_renewed_ts bigint not null
      foreign worker_read_write_locks_lock_name_lock_key_write_lock_fkey (lock_name, lock_key, write_lock) REFERENCES worker_read_write_locks_mode(lock_name, lock_key, write_lock)
      unique index worker_read_write_locks_key btree (lock_name, lock_key, token)
      unique index worker_read_write_locks_write btree (lock_name, lock_key) where write_lock

    unlogged table worker_read_write_locks_mode
      lock_name text not null
      lock_key text not null
      write_lock boolean not null
      token text not null
      foreign worker_read_write_locks_mode_foreign (lock_name, lock_key, token) REFERENCES worker_read_write_locks(lock_name, lock_key, token) DEFERRABLE INITIALLY DEFERRED
      unique index worker_read_write_locks_mode_key btree (lock_name, lock_key)
      unique index worker_read_write_locks_mode_type btree (lock_name, lock_key, write_lock)
    """#
}
