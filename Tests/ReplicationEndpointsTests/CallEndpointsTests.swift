import EndpointKit
import HTTPTypes
import MatrixPrimitives
import Replication
import ReplicationEndpoints
import Synchronization
import Testing

/// A call that adds a number to what an account has.
private struct Deposit: ReplicationCall {
  typealias Answer = StreamIDAnswer

  static let name = "deposit"
  static let argumentNames = ["user_id"]
  static let isCached = true

  let user: UserID
  let amount: Int64

  var arguments: [Text] { [user.rawValue] }
  var destination: CallDestination { .main }

  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    user = try arguments.identifier("user_id")
    amount = try body.requireInteger("amount")
  }
}

/// A call for the balance, which only the main process has.
private struct Balance: ReplicationCall {
  typealias Answer = StreamIDAnswer

  static let name = "balance"
  static let argumentNames: [Text] = []
  static let isCached = false
  static let isServedByMainOnly = true

  var arguments: [Text] { [] }
  var destination: CallDestination { .main }

  init() {}
  init(arguments: CallArguments, body: JSONValue) {}
}

@Suite struct CallEndpointsTests {
  private final class Account: Sendable {
    let balance = Mutex<Int64>(0)
    let waited = Mutex<[Text]>([])
  }

  private let account = Account()

  private func router(isMainProcess: Bool = true) -> Router {
    let account = account
    let calls = CallEndpoints(
      [
        ServedCall(Deposit.self) { call in
          StreamIDAnswer(
            account.balance.withLock { balance in
              balance += call.amount
              return balance
            })
        },
        ServedCall(Balance.self) { _ in StreamIDAnswer(account.balance.withLock { $0 }) },
      ], isMainProcess: isMainProcess,
      positions: ReplicationPositions(
        own: { ["account_data": 4] },
        wait: { instance, positions in account.waited.withLock { $0.append("\(instance) \(positions)") } }),
      clock: .test())
    return Router(calls.family.endpoints, settings: .init(replicationSecret: "s3cret"))
  }

  private func post(
    _ router: Router, _ target: Text, _ body: Text = "{}", secret: Text = "s3cret"
  ) async throws -> (status: Int, body: Text) {
    var headers = HTTPFields()
    headers[.authorization] = "Bearer \(secret)"
    let incoming = IncomingRequest(
      method: "POST", target: "/_synapse/replication/\(target)", headers: headers,
      clientIP: "127.0.0.1", body: BytesInHand(Array(body.utf8)))
    let response = try #require(await router.respond(to: incoming))
    return (response.status, Text(decoding: response.body.bytes ?? [], as: UTF8.self))
  }

  @Test func answersCarryPositions() async throws {
    let router = router()
    let deposit = try await post(
      router, "deposit/%40a%3Ahs/x",
      #"{"amount":2,"_INT_STREAM_POS":{"streams":{"events":3},"instance_name":"w1"}}"#)
    #expect(deposit.status == 200)
    #expect(deposit.body == #"{"_INT_STREAM_POS":{"account_data":4},"max_stream_id":2}"#)
    #expect(account.waited.withLock { $0 } == [#"w1 ["events": 3]"#])
    #expect(try await post(router, "balance/").body == #"{"_INT_STREAM_POS":{"account_data":4},"max_stream_id":2}"#)
  }

  @Test func aRepeatedCallIsCarriedOutOnce() async throws {
    let router = router()
    for _ in 0..<2 { #expect(try await post(router, "deposit/%40a%3Ahs/x", #"{"amount":2}"#).status == 200) }
    #expect(account.balance.withLock { $0 } == 2)
    #expect(try await post(router, "deposit/%40a%3Ahs/y", #"{"amount":2}"#).status == 200)
    #expect(account.balance.withLock { $0 } == 4)
  }

  @Test func workersDoNotServeTheMainProcesssCalls() async throws {
    let router = router(isMainProcess: false)
    #expect(try await post(router, "balance/").status == 404)
    #expect(try await post(router, "deposit/%40a%3Ahs/x", #"{"amount":2}"#).status == 200)
  }

  @Test func malformedCallsAndWrongSecretsAreRefused() async throws {
    let router = router()
    #expect(try await post(router, "deposit/%40a%3Ahs/a").status == 400)
    #expect(try await post(router, "deposit/nobody/b", #"{"amount":2}"#).status == 400)
    #expect(try await post(router, "deposit/%40a%3Ahs/c", #"{"amount":"#).status == 400)
    #expect(try await post(router, "deposit/%40a%3Ahs/d", #"{"amount":2,"_INT_STREAM_POS":[]}"#).status == 400)
    #expect(try await post(router, "deposit/%40a%3Ahs/e", #"{"amount":2}"#, secret: "x").status >= 400)
    #expect(account.balance.withLock { $0 } == 0)
  }
}
