import MatrixPrimitives

/// What a reverse proxy answers by itself, so that clients, in browsers too, can read it like any other answer: a Matrix error and CORS.
enum ProxyErrors {
  /// The statuses with their errors.
  static let errors: [(status: Int, code: ErrorCode, message: Text)] = [
    (400, .invalidParam, "The request is not valid HTTP"),
    (404, .unrecognized, "Unrecognized request"),
    (405, .unrecognized, "Unrecognized request"),
    (408, .unknown, "The request did not come in time"),
    (411, .invalidParam, "The request does not say how long it is"),
    (413, .tooLarge, "The request is too large"),
    (414, .tooLarge, "The address of the request is too long"),
    (500, .unknown, "Internal server error"),
    (501, .unrecognized, "Unrecognized request"),
    (502, .unknown, "The server cannot be reached at the moment"),
    (503, .unknown, "The server cannot be reached at the moment"),
    (504, .unknown, "The server did not answer in time"),
    (505, .unrecognized, "Unrecognized request"),
  ]

  /// The entry for a status that is not listed.
  static let other = (code: ErrorCode.unknown, message: "The request cannot be answered")

  /// The header fields that let browsers read an answer, by name and value.
  static var corsFields: [(name: Text, value: Text)] {
    ResponseHeaders.cors.map { (Text($0.name.rawName), Text($0.value)) }
  }

  /// Renders the body of an error. Without quotes and backslashes in its texts it needs no escaping in a configuration either.
  static func body(_ code: ErrorCode, _ message: Text) -> Text {
    #"{"errcode":"\#(code.rawValue)","error":"\#(message)"}"#
  }
}
