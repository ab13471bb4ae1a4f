import PushComposition
import Stores
import WorkerRuntime

extension Role {
  /// A process of those parts only that a pusher needs of what there is: events, receipts and push rules, without accounts, the making of
  /// events or the client-server API, and without a signing key.
  static let pusherParts = Role("pusher_parts", kind: .worker) { process in
    let rooms = RoomStores(process.stores)
    let users = UserStores(process.stores)
    let push = PushStores(process.stores, events: rooms.events, receipts: users.receipts)
    return Composition([PushSubsystem(process, stores: push)])
  }
}

/// Runs the process, so that its program can be looked at: `Deploy/lint/reach.tsv` says what it must not link, and a test compares its symbols.
@main
struct PusherParts {
  static func main() async throws {
    try await ProcessRuntime(role: .pusherParts, configPaths: Array(CommandLine.arguments.dropFirst())).run()
  }
}
