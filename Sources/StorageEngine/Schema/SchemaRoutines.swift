import Postgres

/// The functions and triggers with which the database itself guards a few tables.
enum SchemaRoutines {
  static let statements: [SQL] = guards + lockKeeping

  /// Refuse rows that contradict the `events` table about an event's room or place in the stream.
  private static let guards: [SQL] = [
    """
    CREATE FUNCTION check_partial_state_events() RETURNS trigger LANGUAGE plpgsql AS $function$
    DECLARE
      known_room text;
    BEGIN
      SELECT e.room_id INTO known_room FROM events AS e WHERE e.event_id = NEW.event_id;
      IF known_room <> NEW.room_id THEN
        RAISE EXCEPTION 'event % is in room %, not in %', NEW.event_id, known_room, NEW.room_id;
      END IF;
      RETURN NEW;
    END
    $function$
    """,
    """
    CREATE TRIGGER check_partial_state_events BEFORE INSERT OR UPDATE ON partial_state_events
    FOR EACH ROW EXECUTE FUNCTION check_partial_state_events()
    """,
    """
    CREATE FUNCTION check_event_stream_ordering() RETURNS trigger LANGUAGE plpgsql AS $function$
    DECLARE
      known_ordering bigint;
    BEGIN
      SELECT e.stream_ordering INTO known_ordering FROM events AS e WHERE e.event_id = NEW.event_id;
      IF known_ordering <> NEW.event_stream_ordering THEN
        RAISE EXCEPTION 'event % has stream ordering %, not %', NEW.event_id, known_ordering, NEW.event_stream_ordering;
      END IF;
      RETURN NEW;
    END
    $function$
    """,
    """
    CREATE TRIGGER check_event_stream_ordering BEFORE INSERT OR UPDATE ON current_state_events
    FOR EACH ROW EXECUTE FUNCTION check_event_stream_ordering()
    """,
    """
    CREATE TRIGGER check_event_stream_ordering BEFORE INSERT OR UPDATE ON local_current_membership
    FOR EACH ROW EXECUTE FUNCTION check_event_stream_ordering()
    """,
    """
    CREATE TRIGGER check_event_stream_ordering BEFORE INSERT OR UPDATE ON room_memberships
    FOR EACH ROW EXECUTE FUNCTION check_event_stream_ordering()
    """,
  ]

  /// Keep one row in `worker_read_write_locks_mode` for every lock that somebody holds. Holders refer to it by a foreign key
  /// that contains the mode, so a reader and a writer cannot hold the same lock.
  private static let lockKeeping: [SQL] = [
    """
    CREATE FUNCTION upsert_read_write_lock_parent() RETURNS trigger LANGUAGE plpgsql AS $function$
    BEGIN
      INSERT INTO worker_read_write_locks_mode AS mode (lock_name, lock_key, write_lock, token)
      VALUES (NEW.lock_name, NEW.lock_key, NEW.write_lock, NEW.token)
      ON CONFLICT (lock_name, lock_key) DO UPDATE SET write_lock = EXCLUDED.write_lock
      WHERE mode.write_lock IS DISTINCT FROM EXCLUDED.write_lock;
      RETURN NEW;
    END
    $function$
    """,
    """
    CREATE TRIGGER upsert_read_write_lock_parent_trigger BEFORE INSERT ON worker_read_write_locks
    FOR EACH ROW EXECUTE FUNCTION upsert_read_write_lock_parent()
    """,
    """
    CREATE FUNCTION delete_read_write_lock_parent() RETURNS trigger LANGUAGE plpgsql AS $function$
    DECLARE
      heir text;
    BEGIN
      PERFORM 1 FROM worker_read_write_locks_mode AS mode
      WHERE mode.lock_name = OLD.lock_name AND mode.lock_key = OLD.lock_key AND mode.token = OLD.token
      FOR UPDATE;
      IF NOT FOUND THEN
        RETURN NULL;
      END IF;
      SELECT held.token INTO heir FROM worker_read_write_locks AS held
      WHERE held.lock_name = OLD.lock_name AND held.lock_key = OLD.lock_key
      LIMIT 1 FOR UPDATE SKIP LOCKED;
      IF FOUND THEN
        UPDATE worker_read_write_locks_mode AS mode SET token = heir
        WHERE mode.lock_name = OLD.lock_name AND mode.lock_key = OLD.lock_key;
      ELSE
        DELETE FROM worker_read_write_locks_mode AS mode
        WHERE mode.lock_name = OLD.lock_name AND mode.lock_key = OLD.lock_key;
      END IF;
      RETURN NULL;
    END
    $function$
    """,
    """
    CREATE TRIGGER delete_read_write_lock_parent_trigger AFTER DELETE ON worker_read_write_locks
    FOR EACH ROW EXECUTE FUNCTION delete_read_write_lock_parent()
    """,
  ]
}
