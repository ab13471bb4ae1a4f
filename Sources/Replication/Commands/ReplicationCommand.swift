import ByteText
import MatrixPrimitives

/// One command of the replication channel: a line `NAME arguments` without a newline.
///
/// Observed on Synapse's wire, where every process publishes to and reads from one Redis channel.
public enum ReplicationCommand: Sendable, Equatable {
  /// A row: `RDATA <stream> <instance> <token or batch> <row>`. The token is nil (`batch`) when the next row
  /// has the same token. The row is kept as JSON bytes so that unwanted rows are never parsed.
  case rdata(stream: StreamName, instance: Text, token: Int64?, row: [UInt8])
  /// The announcement that a writer has no rows in `previous < token <= new`: `POSITION <stream> <instance> <prev>
  /// <new>`.
  case position(stream: StreamName, instance: Text, previous: Int64, new: Int64)
  /// The request that every writer announce its positions: `REPLICATE ` (the space at the end belongs to it).
  case replicate
  /// The news for the presence writer that a device starts or stops syncing.
  case userSync(
    instanceID: Text, userID: Text, deviceID: Text?, isSyncing: Bool, lastSyncMilliseconds: Int64)
  /// The request to the presence writer to forget all syncs of a process.
  case clearUserSync(instanceID: Text)
  /// The report to the background process from where a user was seen; travels on a channel of its own.
  case userIP(UserIPReport)
  /// The news for the main process how far a federation sender has read the `federation` stream.
  case federationAck(instance: Text, token: Int64)
  /// The news for federation senders that a server believed to be down is heard from again.
  case remoteServerUp(server: Text)
  /// The release of a lock, which wakes processes that wait for it.
  case lockReleased(instance: Text, name: Text, key: Text)
  /// The request to the background process to start a scheduled task.
  case newActiveTask(id: Text)
  /// The request to the background process to cancel a scheduled task.
  case cancelTask(id: Text)
  /// A leftover of the removed TCP mode (`SERVER`, `ERROR`, `PING`, `NAME`); without effect.
  case legacy(name: Text, argument: Text)

  /// The place from where a user was seen.
  public struct UserIPReport: Sendable, Equatable {
    /// The user.
    public var userID: Text
    /// The access token used.
    public var accessToken: Text
    /// The client's address.
    public var ip: Text
    /// The client's `User-Agent`.
    public var userAgent: Text
    /// The device.
    public var deviceID: Text?
    /// The time at which the user was seen, in milliseconds.
    public var lastSeenMilliseconds: Int64

    /// Makes a report.
    public init(
      userID: Text, accessToken: Text, ip: Text, userAgent: Text, deviceID: Text?,
      lastSeenMilliseconds: Int64
    ) {
      self.userID = userID
      self.accessToken = accessToken
      self.ip = ip
      self.userAgent = userAgent
      self.deviceID = deviceID
      self.lastSeenMilliseconds = lastSeenMilliseconds
    }
  }

  /// The first word of the line.
  public var name: Text {
    switch self {
    case .rdata: "RDATA"
    case .position: "POSITION"
    case .replicate: "REPLICATE"
    case .userSync: "USER_SYNC"
    case .clearUserSync: "CLEAR_USER_SYNC"
    case .userIP: "USER_IP"
    case .federationAck: "FEDERATION_ACK"
    case .remoteServerUp: "REMOTE_SERVER_UP"
    case .lockReleased: "LOCK_RELEASED"
    case .newActiveTask: "NEW_ACTIVE_TASK"
    case .cancelTask: "CANCEL_TASK"
    case .legacy(let name, _): name
    }
  }
}
