import MatrixPrimitives
import Replication

/// Keeps what the stores remember of users right by the rows of the streams about users.
///
/// What this process wrote itself has been noted at the commit already, so own rows are left out.
enum UserStreamFollower {
  static func register(_ storage: Storage) {
    follow(storage, .accountData) { storage, row, token in
      if case .accountData(let row) = row { storage.accountData.noteChange(of: row.userID, at: token) }
    }
    follow(storage, .pushRules) { storage, row, token in
      if case .pushRules(let user) = row { storage.pushRules.noteChange(of: user, at: token) }
    }
    follow(storage, .toDevice) { storage, row, token in
      if case .toDevice(let entity) = row { storage.toDevice.note(entity: entity, at: token) }
    }
    follow(storage, .presence) { storage, row, token in
      if case .presence(let row) = row { storage.presence.note(PresenceState(row: row), at: token) }
    }
    follow(storage, .deviceLists) { storage, row, token in
      guard case .deviceLists(let row) = row, !row.areHostsCalculated else { return }
      storage.sync.noteDeviceList(of: row.userID, isSignature: row.isSignature, at: token)
    }
    storage.hub.subscribe(.receipts) { [weak storage] batch in
      guard let storage, batch.instanceName != storage.hub.instanceName else { return }
      for case .receipt(let row) in batch.rows {
        storage.receipts.note(Receipt(row: row), at: batch.token, instanceName: batch.instanceName)
      }
    }
  }

  private static func follow(
    _ storage: Storage, _ stream: StreamName, _ apply: @escaping @Sendable (Storage, StreamRow, Int64) -> Void
  ) {
    storage.hub.subscribe(stream) { [weak storage] batch in
      guard let storage, batch.instanceName != storage.hub.instanceName else { return }
      for row in batch.rows { apply(storage, row, batch.token) }
    }
  }
}

extension Storage {
  /// Starts to trust memory of the streams about users, from where the id generators stand.
  func loadUserStores() {
    accountData.load()
    presence.load()
    pushRules.load()
    receipts.load()
    sync.load(at: ids.deviceLists.currentToken)
    toDevice.load()
  }
}
