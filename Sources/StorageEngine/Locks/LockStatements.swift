import ByteText
import Postgres

/// The statements on the tables of locks.
enum LockStatements {
  /// Takes a plain lock that is free, has run out or is this process's own; affects one row when it succeeds.
  static func takePlain(_ hold: WorkerLock.Hold, _ instanceID: Text, _ now: Int64) -> SQL {
    """
    INSERT INTO worker_locks AS held (lock_name, lock_key, instance_name, token, last_renewed_ts)
    VALUES (\(hold.name), \(hold.key), \(instanceID), \(hold.token), \(now))
    ON CONFLICT (lock_name, lock_key) DO UPDATE SET
      instance_name = EXCLUDED.instance_name, token = EXCLUDED.token, last_renewed_ts = EXCLUDED.last_renewed_ts
    WHERE held.last_renewed_ts < \(now - WorkerLocks.lifetimeMilliseconds)::bigint
      OR held.instance_name = EXCLUDED.instance_name
    """
  }

  /// Takes a read or write lock; violates a constraint when somebody excludes it.
  static func takeReadWrite(_ hold: WorkerLock.Hold, _ instanceID: Text, _ now: Int64) -> SQL {
    """
    INSERT INTO worker_read_write_locks (lock_name, lock_key, instance_name, write_lock, token, last_renewed_ts)
    VALUES (\(hold.name), \(hold.key), \(instanceID), \(hold.kind == .write), \(hold.token), \(now))
    """
  }

  static func drop(_ hold: WorkerLock.Hold) -> SQL {
    """
    DELETE FROM \(table(isPlain: hold.kind == .plain))
    WHERE lock_name = \(hold.name) AND lock_key = \(hold.key) AND token = \(hold.token)
    """
  }

  static func renew(_ holds: [WorkerLock.Hold], isPlain: Bool, _ now: Int64) -> SQL {
    """
    UPDATE \(table(isPlain: isPlain)) AS held SET last_renewed_ts = \(now)
    FROM unnest(\(holds.map(\.name))::text[], \(holds.map(\.key))::text[], \(holds.map(\.token))::text[])
      AS mine (lock_name, lock_key, token)
    WHERE held.lock_name = mine.lock_name AND held.lock_key = mine.lock_key AND held.token = mine.token
    """
  }

  /// Removes read/write locks that were not renewed; plain ones are taken over instead.
  static func reap(olderThan oldest: Int64) -> SQL {
    "DELETE FROM worker_read_write_locks WHERE last_renewed_ts < \(oldest)"
  }

  private static func table(isPlain: Bool) -> SQL {
    isPlain ? "worker_locks" : "worker_read_write_locks"
  }
}
