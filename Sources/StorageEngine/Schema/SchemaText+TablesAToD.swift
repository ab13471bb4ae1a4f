extension SchemaText {
  /// The tables whose names begin with a to d. See ``SchemaDescription`` for the form.
  static let tablesAToD = #"""
    table access_tokens
      id bigint not null
      user_id text not null
      device_id text
      token text not null
      valid_until_ms bigint
      puppets_user_id text
      last_validated bigint
      refresh_token_id bigint
      used boolean
      primary access_tokens_pkey (id)
      unique access_tokens_token_key (token)
      foreign access_tokens_refresh_token_id_fkey (refresh_token_id) REFERENCES refresh_tokens(id) ON DELETE CASCADE
      index access_tokens_device_id btree (user_id, device_id)
      index access_tokens_refresh_token_id_idx btree (refresh_token_id)

    table account_data
      user_id text not null
      account_data_type text not null
      stream_id bigint not null
      content text not null
      instance_name text
      unique account_data_uniqueness (user_id, account_data_type)
      index account_data_stream_id btree (user_id, stream_id)

    table account_validity
      user_id text not null
      expiration_ts_ms bigint not null
      email_sent boolean not null
      renewal_token text
      token_used_ts_ms bigint
      primary account_validity_pkey (user_id)

    table application_services_state
      as_id text not null
      state character varying(5)
      read_receipt_stream_id bigint
      presence_stream_id bigint
      to_device_stream_id bigint
      device_list_stream_id bigint
      primary application_services_state_pkey (as_id)

    table application_services_txns
      as_id text not null
      txn_id bigint not null
      event_ids text not null
      unique application_services_txns_as_id_txn_id_key (as_id, txn_id)
      index application_services_txns_id btree (as_id)

    table applied_module_schemas
      module_name text not null
      file text not null
      unique applied_module_schemas_module_name_file_key (module_name, file)

    table applied_schema_deltas
      version integer not null
      file text not null
      unique applied_schema_deltas_version_file_key (version, file)

    table appservice_room_list
      appservice_id text not null
      network_id text not null
      room_id text not null
      unique index appservice_room_list_idx btree (appservice_id, network_id, room_id)

    table appservice_stream_position
      lock character(1) not null default 'X'::bpchar
      stream_ordering bigint
      unique appservice_stream_position_lock_key (lock)
      check appservice_stream_position_lock_check ((lock = 'X'::bpchar))

    table background_updates
      update_name text not null
      progress_json text not null
      depends_on text
      ordering integer not null default 0
      unique background_updates_uniqueness (update_name)

    table blocked_rooms
      room_id text not null
      user_id text not null
      unique index blocked_rooms_idx btree (room_id)

    table cache_invalidation_stream_by_instance
      stream_id bigint not null
      instance_name text not null
      cache_func text not null
      keys text[]
      invalidation_ts bigint
      unique index cache_invalidation_stream_by_instance_id btree (stream_id)
      index cache_invalidation_stream_by_instance_instance_index btree (instance_name, stream_id)

    table current_state_delta_stream
      stream_id bigint not null
      room_id text not null
      type text not null
      state_key text not null
      event_id text
      prev_event_id text
      instance_name text
      index current_state_delta_stream_idx btree (stream_id)
      index current_state_delta_stream_room_idx btree (room_id, stream_id)

    table current_state_events
      event_id text not null
      room_id text not null
      type text not null
      state_key text not null
      membership text
      event_stream_ordering bigint
      unique current_state_events_event_id_key (event_id)
      unique current_state_events_room_id_type_state_key_key (room_id, type, state_key)
      foreign event_stream_ordering_fkey (event_stream_ordering) REFERENCES events(stream_ordering) NOT VALID
      index current_state_events_member_index btree (state_key) where (type = 'm.room.member'::text)
      index current_state_events_members_room_index btree (room_id, membership) where (type = 'm.room.member'::text)
      index current_state_events_stream_ordering_idx btree (event_stream_ordering)

    table dehydrated_devices
      user_id text not null
      device_id text not null
      device_data text not null
      primary dehydrated_devices_pkey (user_id)

    table delayed_events
      delay_id text not null
      user_localpart text not null
      device_id text
      delay bigint not null
      send_ts bigint not null
      room_id text not null
      event_type text not null
      state_key text
      origin_server_ts bigint
      content text not null
      is_processed boolean not null default false
      sticky_duration_ms bigint
      primary delayed_events_pkey (user_localpart, delay_id)
      unique index delayed_events_idx btree (delay_id)
      index delayed_events_is_processed btree (is_processed)
      index delayed_events_room_state_event_idx btree (room_id, event_type, state_key) where (state_key IS NOT NULL)
      index delayed_events_send_ts btree (send_ts)

    table delayed_events_stream_pos
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      unique delayed_events_stream_pos_lock_key (lock)
      check delayed_events_stream_pos_lock_check ((lock = 'X'::bpchar))

    table deleted_pushers
      stream_id bigint not null
      app_id text not null
      pushkey text not null
      user_id text not null
      instance_name text
      index deleted_pushers_stream_id btree (stream_id)

    table destination_rooms
      destination text not null
      room_id text not null
      stream_ordering bigint not null
      primary destination_rooms_pkey (destination, room_id)
      foreign destination_rooms_destination_fkey (destination) REFERENCES destinations(destination)
      foreign destination_rooms_room_id_fkey (room_id) REFERENCES rooms(room_id)
      index destination_rooms_room_id btree (room_id)

    table destination_rooms_sticky_events_backlog
      destination text not null
      room_id text not null
      sticky_events_stream_position integer not null
      primary destination_rooms_sticky_events_backlog_pkey (destination, room_id)
      foreign destination_rooms_sticky_events_backlog_room_id_fkey (room_id) REFERENCES rooms(room_id) ON DELETE CASCADE
      index destination_rooms_sticky_events_backlog_room_id btree (room_id)

    table destinations
      destination text not null
      retry_last_ts bigint
      retry_interval bigint
      failure_ts bigint
      last_successful_stream_ordering bigint
      primary destinations_pkey (destination)

    table device_auth_providers
      user_id text not null
      device_id text not null
      auth_provider_id text not null
      auth_provider_session_id text not null
      index device_auth_providers_devices btree (user_id, device_id)
      index device_auth_providers_sessions btree (auth_provider_id, auth_provider_session_id)

    table device_federation_inbox
      origin text not null
      message_id text not null
      received_ts bigint not null
      instance_name text
      index device_federation_inbox_received_ts_index btree (received_ts)
      index device_federation_inbox_sender_id btree (origin, message_id)

    table device_federation_outbox
      destination text not null
      stream_id bigint not null
      queued_ts bigint not null
      messages_json text not null
      instance_name text
      index device_federation_outbox_destination_id btree (destination, stream_id)
      index device_federation_outbox_id btree (stream_id)

    table device_inbox
      user_id text not null
      device_id text not null
      stream_id bigint not null
      message_json text not null
      instance_name text
      index device_inbox_stream_id_user_id btree (stream_id, user_id)
      index device_inbox_user_stream_id btree (user_id, device_id, stream_id)

    table device_lists_changes_converted_stream_position
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      room_id text not null
      instance_name text
      unique device_lists_changes_converted_stream_position_lock_key (lock)
      check device_lists_changes_converted_stream_position_lock_check ((lock = 'X'::bpchar))

    table device_lists_changes_in_room
      user_id text not null
      device_id text not null
      room_id text not null
      stream_id bigint not null
      converted_to_destinations boolean not null
      opentracing_context text
      instance_name text
      inserted_ts bigint
      index device_lists_changes_in_room_by_room_idx btree (room_id, stream_id)
      index device_lists_changes_in_room_inserted_ts_idx btree (inserted_ts) where (inserted_ts IS NOT NULL)
      index device_lists_changes_in_room_unconverted_idx btree (user_id, device_id, room_id, stream_id) where (NOT converted_to_destinations)
      unique index device_lists_changes_in_stream_id btree (stream_id, room_id)
      index device_lists_changes_in_stream_id_unconverted btree (stream_id) where (NOT converted_to_destinations)

    table device_lists_changes_in_room_max_pruned_stream_id
      lock character(1) not null default 'X'::bpchar
      stream_id bigint not null
      unique device_lists_changes_in_room_max_pruned_stream_id_lock_key (lock)

    table device_lists_outbound_last_success
      destination text not null
      user_id text not null
      stream_id bigint not null
      unique index device_lists_outbound_last_success_unique_idx btree (destination, user_id)

    table device_lists_outbound_pokes
      destination text not null
      stream_id bigint not null
      user_id text not null
      device_id text not null
      sent boolean not null
      ts bigint not null
      opentracing_context text
      instance_name text
      index device_lists_outbound_pokes_id btree (destination, stream_id)
      index device_lists_outbound_pokes_stream btree (stream_id)
      index device_lists_outbound_pokes_user btree (destination, user_id)

    table device_lists_remote_cache
      user_id text not null
      device_id text not null
      content text not null
      unique index device_lists_remote_cache_unique_id btree (user_id, device_id)

    table device_lists_remote_extremeties
      user_id text not null
      stream_id text not null
      unique index device_lists_remote_extremeties_unique_idx btree (user_id)

    table device_lists_remote_pending
      stream_id bigint not null
      user_id text not null
      device_id text not null
      instance_name text
      primary device_lists_remote_pending_pkey (stream_id)
      unique index device_lists_remote_pending_user_device_id btree (user_id, device_id)

    table device_lists_remote_resync
      user_id text not null
      added_ts bigint not null
      unique index device_lists_remote_resync_idx btree (user_id)
      index device_lists_remote_resync_ts_idx btree (added_ts)

    table device_lists_stream
      stream_id bigint not null
      user_id text not null
      device_id text not null
      instance_name text
      index device_lists_stream_id btree (stream_id, user_id)
      index device_lists_stream_user_id btree (user_id, device_id)

    table devices
      user_id text not null
      device_id text not null
      display_name text
      last_seen bigint
      ip text
      user_agent text
      hidden boolean default false
      unique device_uniqueness (user_id, device_id)
    """#
}
