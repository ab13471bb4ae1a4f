import ByteText
import CCurl
import Glibc

/// Requests to other servers, and mails, by libcurl on threads of their own.
///
/// libcurl is opened with the first of them. Redirections are not followed, so that what is checked is what is asked.
public final class OutboundClient: Sendable {
  private let threads = OutboundThreads(most: 8, mostWaiting: 256)
  /// The threads of requests to servers that users name, which may be slow on purpose: no mail or captcha waits for them.
  private let threadsForUsers = OutboundThreads(most: 4, mostWaiting: 64)
  private let blocked: NetworkRanges
  private let allowed: NetworkRanges
  private let checksCertificates: Bool

  /// The largest answer that is read, in bytes.
  static let largestAnswer = 1 << 20

  /// Makes a client.
  ///
  /// - Parameters:
  ///   - blocked: the networks into which no request goes that a user chose the address of; whatever name leads there.
  ///   - allowed: the exceptions.
  ///   - checksCertificates: false for tests alone.
  public init(blocked: NetworkRanges = .none, allowed: NetworkRanges = .none, checksCertificates: Bool = true) {
    self.blocked = blocked
    self.allowed = allowed
    self.checksCertificates = checksCertificates
  }

  /// Whom a request goes to.
  public enum Trust: Sendable {
    /// A server that the administrator named.
    case administrator
    /// A server that a user named.
    case user
  }

  /// A request.
  public struct Request: Sendable {
    /// The method.
    public var method: Text
    /// The whole address, of HTTP or HTTPS.
    public var url: Text
    /// The header fields.
    public var headers: [(name: Text, value: Text)]
    /// The body; nil for none.
    public var body: [UInt8]?

    /// Makes a request.
    public init(_ method: Text, _ url: Text, headers: [(name: Text, value: Text)] = [], body: [UInt8]? = nil) {
      self.method = method
      self.url = url
      self.headers = headers
      self.body = body
    }
  }

  /// An answer, whatever its status.
  public struct Answer: Sendable {
    /// The status.
    public let status: Int
    /// The body.
    public let body: [UInt8]
  }

  /// Sends a request.
  ///
  /// - Parameters:
  ///   - trust: who chose the address.
  ///   - timeout: for the whole exchange, in milliseconds.
  /// - Throws: ``OutboundError`` when there is no answer.
  public func send(_ request: Request, trust: Trust, timeoutMilliseconds: Int = 10_000) async throws(OutboundError)
    -> Answer
  {
    let (blocked, allowed) = trust == .user ? (blocked.networks, allowed.networks) : ([], [])
    let lines = request.headers.filter { Self.isLine($0.name) && Self.isLine($0.value) }.map {
      "\($0.name): \($0.value)"
    }
    guard !request.url.utf8.contains(0), !request.method.utf8.contains(0) else { throw .failed("malformed address") }
    let options = Options(
      timeout: timeoutMilliseconds, isDirect: trust == .user, checksCertificates: checksCertificates)
    let threads = trust == .user ? threadsForUsers : threads
    let outcome = try await threads.run { Self.read(Self.perform(request, lines, options, blocked, allowed)) }
    return try outcome.get()
  }

  private static func isLine(_ text: Text) -> Bool { !text.utf8.contains { $0 < 0x20 || $0 == 0x7F } }

  private struct Options {
    let timeout: Int
    let isDirect: Bool
    let checksCertificates: Bool
  }

  private static func perform(
    _ request: Request, _ lines: [Text], _ options: Options, _ blocked: [ccurl_network], _ allowed: [ccurl_network]
  ) -> ccurl_answer {
    var answer = ccurl_answer()
    request.method.string.withCString { method in
      request.url.string.withCString { url in
        lines.joined(separator: "\n").string.withCString { headers in
          blocked.withUnsafeBufferPointer { blocked in
            allowed.withUnsafeBufferPointer { allowed in
              (request.body ?? []).withUnsafeBufferPointer { body in
                var call = ccurl_request()
                call.timeout_ms = options.timeout
                call.response_limit = largestAnswer
                call.is_direct = options.isDirect ? 1 : 0
                call.is_insecure = options.checksCertificates ? 0 : 1
                call.method = method
                call.url = url
                call.headers = headers
                if request.body != nil { call.body = body.baseAddress ?? Self.nothing }
                call.body_length = body.count
                (call.blocked, call.blocked_count) = (blocked.baseAddress, blocked.count)
                (call.allowed, call.allowed_count) = (allowed.baseAddress, allowed.count)
                ccurl_send_request(&call, &answer)
              }
            }
          }
        }
      }
    }
    return answer
  }

  /// The address of an empty body.
  private static var nothing: UnsafePointer<UInt8>? { UnsafePointer(bitPattern: 8) }

  private static func read(_ answer: ccurl_answer) -> Result<Answer, OutboundError> {
    defer { free(answer.body) }
    switch answer.outcome {
    case CCURL_OK:
      let body = answer.body.map { Array(UnsafeBufferPointer(start: $0, count: answer.length)) } ?? []
      return .success(Answer(status: answer.status, body: body))
    case CCURL_TIMED_OUT: return .failure(.timedOut)
    case CCURL_REFUSED: return .failure(.refused)
    case CCURL_TOO_LARGE: return .failure(.tooLarge)
    default:
      let reason = withUnsafeBytes(of: answer.message) { Text(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      return .failure(.failed(reason))
    }
  }

  // MARK: Mail

  /// Sends a mail.
  ///
  /// - Throws: ``OutboundError`` when the server did not take it.
  public func send(_ mail: OutboundMail) async throws(OutboundError) {
    let outcome = try await threads.run { Self.read(Self.perform(mail)) }
    _ = try outcome.get()
  }

  private static func perform(_ mail: OutboundMail) -> ccurl_answer {
    var answer = ccurl_answer()
    let strings = [mail.url, mail.connectTo ?? "", mail.user ?? "", mail.password ?? "", mail.sender, mail.recipient]
    let copies = strings.map { strdup($0.string) }
    defer { for copy in copies { free(copy) } }
    mail.message.withUnsafeBufferPointer { message in
      var call = ccurl_mail()
      call.url = UnsafePointer(copies[0])
      call.connect_to = mail.connectTo == nil ? nil : UnsafePointer(copies[1])
      call.user = mail.user == nil ? nil : UnsafePointer(copies[2])
      call.password = UnsafePointer(copies[3])
      call.sender = UnsafePointer(copies[4])
      call.recipient = UnsafePointer(copies[5])
      call.tls = mail.tls.rawValue
      call.message = message.baseAddress
      call.length = message.count
      call.timeout_ms = 60_000
      ccurl_send_mail(&call, &answer)
    }
    return answer
  }
}

/// A mail with the server that takes it.
public struct OutboundMail: Sendable {
  /// When the connection is encrypted.
  public enum TLS: Int32, Sendable {
    /// Never.
    case never = 0
    /// Where the server offers it.
    case offered = 1
    /// Always.
    case always = 2
  }

  /// `smtp://host:port/name` or `smtps://…`, with the name by which the client greets.
  public var url: Text
  /// `name:port:host:port` to connect elsewhere than the URL says, whose name then is the certificate's.
  public var connectTo: Text?
  /// The login; nil for none.
  public var user: Text?
  /// The password of the login.
  public var password: Text?
  /// When the connection is encrypted.
  public var tls: TLS
  /// The address of the envelope's sender.
  public var sender: Text
  /// The address of the envelope's recipient.
  public var recipient: Text
  /// The whole message with CRLF between lines.
  public var message: [UInt8]

  /// Collects a mail.
  public init(
    url: Text, connectTo: Text?, user: Text?, password: Text?, tls: TLS, sender: Text, recipient: Text,
    message: [UInt8]
  ) {
    self.url = url
    self.connectTo = connectTo
    self.user = user
    self.password = password
    self.tls = tls
    self.sender = sender
    self.recipient = recipient
    self.message = message
  }
}
