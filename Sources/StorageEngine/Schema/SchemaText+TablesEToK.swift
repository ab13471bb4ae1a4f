extension SchemaText {
  /// The tables whose names begin with e to k. See ``SchemaDescription`` for the form.
  static let tablesEToK = #"""
    table e2e_cross_signing_keys
      user_id text not null
      keytype text not null
      keydata text not null
      stream_id bigint not null
      updatable_without_uia_before_ms bigint
      instance_name text
      unique index e2e_cross_signing_keys_idx btree (user_id, keytype, stream_id)
      unique index e2e_cross_signing_keys_stream_idx btree (stream_id)

    table e2e_cross_signing_signatures
      user_id text not null
      key_id text not null
      target_user_id text not null
      target_device_id text not null
      signature text not null
      unique index e2e_cross_signing_signatures_idx3 btree (user_id, target_user_id, target_device_id, key_id)

    table e2e_device_keys_json
      user_id text not null
      device_id text not null
      ts_added_ms bigint not null
      key_json text not null
      unique e2e_device_keys_json_uniqueness (user_id, device_id)

    table e2e_fallback_keys_json
      user_id text not null
      device_id text not null
      algorithm text not null
      key_id text not null
      key_json text not null
      used boolean not null default false
      unique e2e_fallback_keys_json_uniqueness (user_id, device_id, algorithm)

    table e2e_one_time_keys_json
      user_id text not null
      device_id text not null
      algorithm text not null
      key_id text not null
      ts_added_ms bigint not null
      key_json text not null
      unique e2e_one_time_keys_json_uniqueness (user_id, device_id, algorithm, key_id)
      index e2e_one_time_keys_json_user_id_device_id_algorithm_ts_added_idx btree (user_id, device_id, algorithm, ts_added_ms)

    table e2e_room_keys
      user_id text not null
      room_id text not null
      session_id text not null
      version bigint not null
      first_message_index integer
      forwarded_count integer
      is_verified boolean
      session_data text not null
      index e2e_room_keys_room_id btree (room_id)
      unique index e2e_room_keys_with_version_idx btree (user_id, version, room_id, session_id)

    table e2e_room_keys_versions
      user_id text not null
      version bigint not null
      algorithm text not null
      auth_data text not null
      deleted smallint not null default 0
      etag bigint
      unique index e2e_room_keys_versions_idx btree (user_id, version)

    table erased_users
      user_id text not null
      unique index erased_users_user btree (user_id)

    table event_auth
      event_id text not null
      auth_id text not null
      room_id text not null
      index evauth_edges_id btree (event_id)

    table event_auth_chain_links
      origin_chain_id bigint not null
      origin_sequence_number bigint not null
      target_chain_id bigint not null
      target_sequence_number bigint not null
      index event_auth_chain_links_idx btree (origin_chain_id, target_chain_id)
      index event_auth_chain_links_origin_index btree (origin_chain_id, origin_sequence_number)

    table event_auth_chain_to_calculate
      event_id text not null
      room_id text not null
      type text not null
      state_key text not null
      primary event_auth_chain_to_calculate_pkey (event_id)
      index event_auth_chain_to_calculate_rm_id btree (room_id)

    table event_auth_chains
      event_id text not null
      chain_id bigint not null
      sequence_number bigint not null
      primary event_auth_chains_pkey (event_id)
      unique index event_auth_chains_c_seq_index btree (chain_id, sequence_number)

    table event_backward_extremities
      event_id text not null
      room_id text not null
      unique event_backward_extremities_event_id_room_id_key (event_id, room_id)
      index ev_b_extrem_id btree (event_id)
      index ev_b_extrem_room btree (room_id)

    table event_edges
      event_id text not null
      prev_event_id text not null
      room_id text
      is_state boolean not null default false
      foreign event_edges_event_id_fkey (event_id) REFERENCES events(event_id)
      index ev_edges_prev_id btree (prev_event_id)
      unique index event_edges_event_id_prev_event_id_idx btree (event_id, prev_event_id)

    table event_expiry
      event_id text not null
      expiry_ts bigint not null
      primary event_expiry_pkey (event_id)
      index event_expiry_expiry_ts_idx btree (expiry_ts)

    table event_failed_pull_attempts
      room_id text not null
      event_id text not null
      num_attempts integer not null
      last_attempt_ts bigint not null
      last_cause text not null
      primary event_failed_pull_attempts_pkey (room_id, event_id)
      foreign event_failed_pull_attempts_room_id_fkey (room_id) REFERENCES rooms(room_id)
      index event_failed_pull_attempts_room_id btree (room_id)

    table event_forward_extremities
      event_id text not null
      room_id text not null
      unique event_forward_extremities_event_id_room_id_key (event_id, room_id)
      foreign event_forward_extremities_event_id (event_id) REFERENCES events(event_id) DEFERRABLE INITIALLY DEFERRED
      index ev_extrem_id btree (event_id)
      index ev_extrem_room btree (room_id)

    table event_json
      event_id text not null
      room_id text not null
      internal_metadata text not null
      json text not null
      format_version integer
      unique event_json_event_id_key (event_id)

    table event_labels
      event_id text not null
      label text not null
      room_id text not null
      topological_ordering bigint not null
      primary event_labels_pkey (event_id, label)
      index event_labels_room_id_label_idx btree (room_id, label, topological_ordering)

    table event_push_actions
      room_id text not null
      event_id text not null
      user_id text not null
      profile_tag character varying(32)
      actions text not null
      topological_ordering bigint
      stream_ordering bigint
      notif smallint
      highlight smallint
      unread smallint
      thread_id text
      unique event_id_user_id_profile_tag_uniqueness (room_id, event_id, user_id, profile_tag)
      check event_push_actions_thread_id ((thread_id IS NOT NULL))
      index event_push_actions_highlights_index btree (user_id, room_id, topological_ordering, stream_ordering) where (highlight = 1)
      index event_push_actions_rm_tokens btree (user_id, room_id, topological_ordering, stream_ordering)
      index event_push_actions_room_id_user_id btree (room_id, user_id)
      index event_push_actions_stream_highlight_index btree (highlight, stream_ordering) where (highlight = 0)
      index event_push_actions_stream_ordering btree (stream_ordering, user_id)
      index event_push_actions_u_highlight btree (user_id, stream_ordering)

    table event_push_actions_staging
      event_id text not null
      user_id text not null
      actions text not null
      notif smallint not null
      highlight smallint not null
      unread smallint
      thread_id text
      inserted_ts bigint default (EXTRACT(epoch FROM now()) * (1000)::numeric)
      check event_push_actions_staging_thread_id ((thread_id IS NOT NULL))
      index event_push_actions_staging_id btree (event_id)

    table event_push_summary
      user_id text not null
      room_id text not null
      notif_count bigint not null
      stream_ordering bigint not null
      unread_count bigint
      last_receipt_stream_ordering bigint
      thread_id text
      check event_push_summary_thread_id ((thread_id IS NOT NULL))
      index event_push_summary_index_room_id btree (room_id)
      unique index event_push_summary_unique_index2 btree (user_id, room_id, thread_id)

    table event_push_summary_last_receipt_stream_id
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      unique event_push_summary_last_receipt_stream_id_lock_key (lock)
      check event_push_summary_last_receipt_stream_id_lock_check ((lock = 'X'::bpchar))

    table event_push_summary_stream_ordering
      lock character(1) not null default 'X'::bpchar
      stream_ordering bigint not null
      unique event_push_summary_stream_ordering_lock_key (lock)
      check event_push_summary_stream_ordering_lock_check ((lock = 'X'::bpchar))

    table event_relations
      event_id text not null
      relates_to_id text not null
      relation_type text not null
      aggregation_key text
      unique index event_relations_id btree (event_id)
      index event_relations_relates btree (relates_to_id, relation_type, aggregation_key)

    table event_reports
      id bigint not null
      received_ts bigint not null
      room_id text not null
      event_id text not null
      user_id text not null
      reason text
      content text
      primary event_reports_pkey (id)

    table event_search
      event_id text
      room_id text
      sender text
      key text
      vector tsvector
      origin_server_ts bigint
      stream_ordering bigint
      index event_search_ev_ridx btree (room_id)
      unique index event_search_event_id_idx btree (event_id)
      index event_search_fts_idx gin (vector)

    table event_to_state_groups
      event_id text not null
      state_group bigint not null
      unique event_to_state_groups_event_id_key (event_id)
      index event_to_state_groups_sg_index btree (state_group)

    table event_txn_id_device_id
      event_id text not null
      room_id text not null
      user_id text not null
      device_id text not null
      txn_id text not null
      inserted_ts bigint not null
      foreign event_txn_id_device_id_event_id_fkey (event_id) REFERENCES events(event_id) ON DELETE CASCADE
      foreign event_txn_id_device_id_user_id_device_id_fkey (user_id, device_id) REFERENCES devices(user_id, device_id) ON DELETE CASCADE
      unique index event_txn_id_device_id_event_id btree (event_id)
      index event_txn_id_device_id_ts btree (inserted_ts)
      unique index event_txn_id_device_id_txn_id2 btree (user_id, device_id, room_id, txn_id)

    table events
      topological_ordering bigint not null
      event_id text not null
      type text not null
      room_id text not null
      content text
      unrecognized_keys text
      processed boolean not null
      outlier boolean not null
      depth bigint not null default 0
      origin_server_ts bigint
      received_ts bigint
      sender text
      contains_url boolean
      instance_name text
      stream_ordering bigint
      state_key text
      rejection_reason text
      unique events_event_id_key (event_id)
      index event_contains_url_index btree (room_id, topological_ordering, stream_ordering) where ((contains_url = true) AND (outlier = false))
      index events_jump_to_date_idx btree (room_id, origin_server_ts) where (NOT outlier)
      index events_order_room btree (room_id, topological_ordering, stream_ordering)
      index events_room_stream btree (room_id, stream_ordering)
      unique index events_stream_ordering btree (stream_ordering)
      index events_ts btree (origin_server_ts, stream_ordering)
      index received_ts_idx btree (received_ts) where (type = 'm.room.member'::text)

    table ex_outlier_stream
      event_stream_ordering bigint not null
      event_id text not null
      state_group bigint not null
      instance_name text
      primary ex_outlier_stream_pkey (event_stream_ordering)

    table federation_inbound_events_staging
      origin text not null
      room_id text not null
      event_id text not null
      received_ts bigint not null
      event_json text not null
      internal_metadata text not null
      unique index federation_inbound_events_staging_instance_event btree (origin, event_id)
      index federation_inbound_events_staging_room btree (room_id, received_ts)

    table federation_stream_position
      type text not null
      stream_id bigint not null
      instance_name text not null default 'master'::text
      unique index federation_stream_position_instance btree (type, instance_name)

    table ignored_users
      ignorer_user_id text not null
      ignored_user_id text not null
      index ignored_users_ignored_user_id btree (ignored_user_id)
      unique index ignored_users_uniqueness btree (ignorer_user_id, ignored_user_id)

    table instance_map
      instance_id integer not null default nextval('instance_map_instance_id_seq'::regclass)
      instance_name text not null
      primary instance_map_pkey (instance_id)
      unique index instance_map_idx btree (instance_name)
    """#
}
