import ByteText

/// What a reverse proxy answers by itself, so that clients, in browsers too, can read it like any other answer: a Matrix error and CORS.
enum ProxyErrors {
  /// Statuses with their error.
  static let errors: [(status: Int, errcode: Text, message: Text)] = [
    (400, "M_INVALID_PARAM", "The request is not valid HTTP"),
    (404, "M_UNRECOGNIZED", "Unrecognized request"),
    (405, "M_UNRECOGNIZED", "Unrecognized request"),
    (408, "M_UNKNOWN", "The request did not come in time"),
    (411, "M_INVALID_PARAM", "The request does not say how long it is"),
    (413, "M_TOO_LARGE", "The request is too large"),
    (414, "M_TOO_LARGE", "The address of the request is too long"),
    (500, "M_UNKNOWN", "Internal server error"),
    (501, "M_UNRECOGNIZED", "Unrecognized request"),
    (502, "M_UNKNOWN", "The server cannot be reached at the moment"),
    (503, "M_UNKNOWN", "The server cannot be reached at the moment"),
    (504, "M_UNKNOWN", "The server did not answer in time"),
    (505, "M_UNRECOGNIZED", "Unrecognized request"),
  ]

  /// What stands for a status that is not listed.
  static let other = (errcode: "M_UNKNOWN", message: "The request cannot be answered")

  /// The header fields that let browsers read an answer, by name and value.
  static var corsFields: [(name: Text, value: Text)] {
    ResponseHeaders.cors.map { (Text($0.name.rawName), Text($0.value)) }
  }

  /// Renders the body of an error. Without quotes and backslashes in its texts it needs no escaping in a configuration either.
  static func body(_ errcode: Text, _ message: Text) -> Text {
    #"{"errcode":"\#(errcode)","error":"\#(message)"}"#
  }
}
