import ByteText

/// Why a request or a mail could not be sent.
public enum OutboundError: Error, Sendable, CustomStringConvertible {
  /// Too much waits to be sent.
  case busy
  /// The other side did not answer in time.
  case timedOut
  /// The address belongs to a network that is not connected to.
  case refused
  /// The answer is larger than is read.
  case tooLarge
  /// Anything else, as libcurl says it.
  case failed(Text)

  /// The reason for logs.
  public var description: String {
    switch self {
    case .busy: "too much waits to be sent"
    case .timedOut: "there was no answer in time"
    case .refused: "the address is in a network that is not connected to"
    case .tooLarge: "the answer is too large"
    case .failed(let reason): reason.string
    }
  }
}
