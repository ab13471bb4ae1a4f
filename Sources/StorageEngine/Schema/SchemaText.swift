/// The facts of the schema as text: a table a paragraph in the files beside this one, and what else there is here.
enum SchemaText {
  /// The sequences: name, start, and the last value handed out in a new database (`-` for none).
  ///
  /// A stream's sequence is advanced once, because its first id counts as persisted already.
  static let sequences = """
    account_data_sequence 1 1
    application_services_txn_id_seq 1 -
    cache_invalidation_stream_seq 1 3
    device_inbox_sequence 1 1
    device_lists_sequence 1 1
    e2e_cross_signing_keys_sequence 1 1
    event_auth_chain_id 1 -
    events_backfill_stream_seq 1 1
    events_stream_seq 1 1
    instance_map_instance_id_seq 1 -
    presence_stream_sequence 1 1
    profile_updates_sequence 1 1
    push_rules_stream_sequence 1 1
    pushers_sequence 1 1
    quarantined_media_id_seq 1 1
    receipts_sequence 1 1
    state_group_id_seq 1 -
    sticky_events_sequence 1 1
    thread_subscriptions_sequence 2 2
    un_partial_stated_event_stream_sequence 1 1
    un_partial_stated_room_stream_sequence 1 1
    user_id_seq 1 -
    """

  /// The migrations that are contained in the schema, which a database has to name: folder of the version, file.
  static let deltas = """
    73/01event_failed_pull_attempts.sql
    73/02add_pusher_enabled.sql
    73/02room_id_indexes_for_purging.sql
    73/03pusher_device_id.sql
    73/03users_approved_column.sql
    73/04partial_join_details.sql
    73/04pending_device_list_updates.sql
    73/05old_push_actions.sql.postgres
    73/06thread_notifications_thread_id_idx.sql
    73/08thread_receipts_non_null.sql.postgres
    73/09partial_joined_via_destination.sql
    73/09threads_table.sql
    73/10_update_sqlite_fts4_tokenizer.py
    73/10login_tokens.sql
    73/11event_search_room_id_n_distinct.sql.postgres
    73/12refactor_device_list_outbound_pokes.sql
    73/13add_device_lists_index.sql
    73/20_un_partial_stated_room_stream.sql
    73/21_un_partial_stated_room_stream_seq.sql.postgres
    73/22_rebuild_user_dir_stats.sql
    73/22_un_partial_stated_event_stream.sql
    73/23_fix_thread_index.sql
    73/23_un_partial_stated_room_stream_seq.sql.postgres
    73/24_events_jump_to_date_index.sql
    73/25drop_presence.sql
    74/01_user_directory_stale_remote_users.sql
    74/02_set_device_id_for_pushers_bg_update.sql
    74/03_membership_tables_event_stream_ordering.sql.postgres
    74/03_room_membership_index.sql
    74/04_delete_e2e_backup_keys_for_deactivated_users.sql
    74/04_membership_tables_event_stream_ordering_triggers.py
    74/05_events_txn_id_device_id.sql
    74/90COMMENTS_destinations.sql.postgres
    76/01_add_profiles_full_user_id_column.sql
    76/02_add_user_filters_full_user_id_column.sql
    76/03_per_user_experimental_features.sql
    76/04_add_room_forgetter.sql
    77/01_add_profiles_not_valid_check.sql.postgres
    77/02_add_user_filters_not_valid_check.sql.postgres
    77/03bg_populate_full_user_id_profiles.sql
    77/04bg_populate_full_user_id_user_filters.sql
    77/05thread_notifications_backfill.sql
    77/06thread_notifications_not_null_event_push_actions.sql.postgres
    77/06thread_notifications_not_null_event_push_actions_staging.sql.postgres
    77/06thread_notifications_not_null_event_push_summary.sql.postgres
    77/14bg_indices_event_stream_ordering.sql
    78/01_validate_and_update_profiles.py
    78/02_validate_and_update_user_filters.py
    78/03_remove_unused_indexes_user_filters.py
    78/03event_extremities_constraints.py
    78/04_add_full_user_id_index_user_filters.py
    79/03_read_write_locks_triggers.sql.postgres
    79/04_mitigate_stream_ordering_update_race.py
    79/05_read_write_locks_triggers.sql.postgres
    80/01_users_alter_locked.sql
    80/02_read_write_locks_unlogged.sql.postgres
    80/02_scheduled_tasks.sql
    80/03_read_write_locks_triggers.sql.postgres
    80/04_read_write_locks_deadlock.sql.postgres
    82/02_scheduled_tasks_index.sql
    82/04_add_indices_for_purging_rooms.sql
    82/05gaps.sql
    83/01_drop_old_tables.sql
    83/05_cross_signing_key_update_grant.sql
    83/06_event_push_summary_room.sql
    84/01_auth_links_stats.sql.postgres
    84/02_auth_links_index.sql
    84/03_auth_links_analyze.sql.postgres
    84/04_access_token_index.sql
    85/01_add_suspended.sql
    85/02_add_instance_names.sql
    85/03_new_sequences.sql.postgres
    85/04_cleanup_device_federation_outbox.sql
    85/05_add_instance_names_converted_pos.sql
    85/06_add_room_reports.sql
    86/01_authenticate_media.sql
    86/02_receipts_event_id_index.sql
    87/01_sliding_sync_memberships.sql
    87/02_per_connection_state.sql
    87/03_current_state_index.sql
    88/01_add_delayed_events.sql
    88/01_custom_profile_fields.sql
    88/02_fix_sliding_sync_membership_snapshots_forgotten_column.sql
    88/03_add_otk_ts_added_index.sql
    88/04_current_state_delta_index.sql
    88/05_drop_old_otks.sql.postgres
    88/05_sliding_sync_room_config_index.sql
    88/06_events_received_ts_index.sql
    89/01_sliding_sync_membership_snapshot_index.sql
    89/01_state_groups_deletion.sql
    90/01_add_column_participant_room_memberships_table.sql
    90/02_delete_unreferenced_state_groups.sql
    90/03_remove_old_deletion_bg_update.sql
    91/01_media_hash.sql
    92/01_remove_trigger.sql.postgres
    92/02_remove_populate_participant_bg_update.sql
    92/04_ss_membership_snapshot_idx.sql
    92/04_thread_subscriptions.sql
    92/04_thread_subscriptions_seq.sql.postgres
    92/05_fixup_max_depth_cap.sql
    92/05_thread_subscriptions_comments.sql.postgres
    92/06_device_federation_inbox_index.sql
    92/06_threads_last_sent_stream_ordering_comments.sql.postgres
    92/07_add_user_reports.sql
    92/07_event_txn_id_device_id_txn_id2.sql
    92/08_room_ban_redactions.sql
    92/08_thread_subscriptions_seq_fixup.sql.postgres
    92/09_thread_subscriptions_update.sql
    92/09_thread_subscriptions_update.sql.postgres
    93/01_add_delayed_events.sql
    93/01_sticky_events.sql
    93/01_sticky_events_seq.sql.postgres
    93/02_sliding_sync_members.sql
    93/03_sss_pos_last_used.sql
    93/04_make_delayed_event_content_text.py
    94/01_redactions_recheck.sql
    94/01_state_groups_persisting_inserted_ts.sql.postgres
    94/02_redactions_recheck_bg_update.sql
    94/03_device_lists_room_timestamp.sql
    94/03_quarantined_media_tracking.sql
    94/03_quarantined_media_tracking_seq.sql.postgres
    94/03_state_dag_fwd_extrems.sql
    94/04_device_lists_changes_max_pruned.sql
    94/05_rerun_flag_existing_quarantined_media.sql
    94/06_sliding_sync_connections_last_used_ts_index.sql
    94/07_profile_updates.sql
    94/07_profile_updates_seq.sql.postgres
    94/07_sliding_sync_lazy_members_position_index.sql
    94/08_device_lists_changes_in_room_unconverted_idx.sql
    94/09_e2e_cross_signing_signatures_index.sql
    94/10_e2e_cross_signing_signatures_add_key_id_to_index.sql
    94/11_destination_room_sticky_events.sql
    """
}
