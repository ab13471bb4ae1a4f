import MatrixPrimitives

/// What a client of sliding sync has been sent over one connection, up to one position of it.
///
/// A room that was never sent is absent from the maps. The content of a position never changes once it is stored.
public struct SlidingConnection: Sendable {
  /// The name of a connection: a device may have several.
  public struct Key: Hashable, Sendable {
    /// The user.
    public let user: UserID
    /// The device; empty for a token without one.
    public let device: Text
    /// What the client calls the connection; empty when it does not say.
    public let name: Text

    /// Names a connection.
    public init(user: UserID, device: Text, name: Text) {
      self.user = user
      self.device = device
      self.name = name
    }
  }

  /// How far a client has been sent one stream of a room.
  public enum Sent<Token: Hashable & Sendable>: Hashable, Sendable {
    /// As far as the client's token.
    case live
    /// Up to a point, after which something came that was not sent.
    case previously(Token)
  }

  /// The time of the last request, in milliseconds since 1970, to within minutes; nil for a new connection.
  public var lastUsed: Int64?
  /// How far the events of rooms were sent.
  public var rooms: [RoomID: Sent<RoomStreamToken>] = [:]
  /// How far receipts were sent.
  public var receipts: [RoomID: Sent<MultiWriterToken>] = [:]
  /// How far account data of rooms was sent.
  public var accountData: [RoomID: Sent<Int64>] = [:]
  /// What the client has of rooms.
  public var configs: [RoomID: SlidingRoomConfig] = [:]

  /// The estimated memory of the choices of state in ``configs``, in bytes; they are shared between rooms.
  var stateWeight = 0

  /// Makes a connection over which nothing was sent.
  public init() {}

  /// The estimated memory, in bytes, for cache budgets.
  var weight: Int {
    512 + (rooms.count + receipts.count + accountData.count) * 160 + configs.count * 200 + stateWeight
  }
}

/// What one answer changes of a ``SlidingConnection``.
public struct SlidingConnectionChanges: Sendable {
  /// The memberships that an answer to a client that loads members lazily has to do with.
  public struct Members: Sendable {
    /// The users whose memberships the client has after the answer, with the time at which that was last noted; nil for those sent now.
    public var returned: [Text: Int64?] = [:]
    /// Users whose memberships have changed and were not sent.
    public var invalidated: Set<Text> = []

    /// Makes an empty record.
    public init() {}

    /// Returns the users to be noted: those sent now, and those whose note is an hour old.
    func toNote(at now: Int64) -> [Text] {
      returned.filter { $0.value.map { now - $0 >= 3_600_000 } ?? true }.map(\.key)
    }
  }

  /// New states of the events of rooms.
  public private(set) var rooms: [RoomID: SlidingConnection.Sent<RoomStreamToken>] = [:]
  /// New states of receipts.
  public private(set) var receipts: [RoomID: SlidingConnection.Sent<MultiWriterToken>] = [:]
  /// New states of account data.
  public private(set) var accountData: [RoomID: SlidingConnection.Sent<Int64>] = [:]
  /// What the client has of rooms after the answer, where that is something else than before.
  public var configs: [RoomID: SlidingRoomConfig] = [:]
  /// Members loaded lazily.
  public var members: [RoomID: Members] = [:]
  /// What was sent before.
  public let base: SlidingConnection

  /// Makes the changes of an answer that changes nothing.
  public init(of base: SlidingConnection) { self.base = base }

  /// Returns whether there is anything to store.
  public func areWorthStoring(at now: Int64) -> Bool {
    !rooms.isEmpty || !receipts.isEmpty || !accountData.isEmpty || !configs.isEmpty
      || members.values.contains { !$0.invalidated.isEmpty || !$0.toNote(at: now).isEmpty }
  }

  // MARK: Recording

  /// Notes that the events of rooms are sent with this answer.
  public mutating func sent(rooms sent: some Sequence<RoomID>) { Self.send(sent, &rooms, base.rooms) }

  /// Notes that rooms have events after `token` that are not sent.
  public mutating func withheld(rooms withheld: some Sequence<RoomID>, after token: RoomStreamToken) {
    Self.withhold(withheld, after: token, &rooms, base.rooms)
  }

  /// Notes that the receipts of rooms are sent with this answer.
  public mutating func sent(receipts sent: some Sequence<RoomID>) { Self.send(sent, &receipts, base.receipts) }

  /// Notes that rooms have receipts after `token` that are not sent.
  public mutating func withheld(receipts withheld: some Sequence<RoomID>, after token: MultiWriterToken) {
    Self.withhold(withheld, after: token, &receipts, base.receipts)
  }

  /// Notes that the account data of rooms is sent with this answer.
  public mutating func sent(accountData sent: some Sequence<RoomID>) { Self.send(sent, &accountData, base.accountData) }

  /// Notes that rooms have account data after `token` that is not sent.
  public mutating func withheld(accountData withheld: some Sequence<RoomID>, after token: Int64) {
    Self.withhold(withheld, after: token, &accountData, base.accountData)
  }

  private static func send<Token>(
    _ sent: some Sequence<RoomID>, _ changes: inout [RoomID: SlidingConnection.Sent<Token>],
    _ base: [RoomID: SlidingConnection.Sent<Token>]
  ) {
    for room in sent where (changes[room] ?? base[room]) != .live { changes[room] = .live }
  }

  /// A room that was withheld before keeps its older point; of one that was never sent everything is missing anyway.
  private static func withhold<Token>(
    _ withheld: some Sequence<RoomID>, after token: Token, _ changes: inout [RoomID: SlidingConnection.Sent<Token>],
    _ base: [RoomID: SlidingConnection.Sent<Token>]
  ) {
    for room in withheld where (changes[room] ?? base[room]) == .live { changes[room] = .previously(token) }
  }
}
