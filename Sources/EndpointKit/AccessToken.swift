import HTTPTypes
import MatrixPrimitives

/// The access token of a request (client-server API, "Using access tokens").
enum AccessToken {
  /// Finds the token in the `Authorization` header or the `access_token` query parameter.
  ///
  /// - Returns: nil when the request has neither.
  /// - Throws: 401 `M_MISSING_TOKEN` when it has both, several headers, or a header of another form (observed on Synapse).
  static func find(_ headers: HTTPFields, _ query: QueryParameters) throws(MatrixError) -> Text? {
    let parameter = query.first("access_token")
    let fields = headers[fields: .authorization]
    guard let field = fields.first?.value else { return parameter }
    if parameter != nil { throw missing("Mixing Authorization headers and access_token query parameters.") }
    if fields.count > 1 { throw missing("Too many Authorization headers.") }
    let scheme = "Bearer "
    guard field.utf8.starts(with: scheme.utf8) else { throw missing("Invalid Authorization header.") }
    let token = field.utf8.dropFirst(scheme.utf8.count)
    guard !token.contains(UInt8(ascii: " ")) else { throw missing("Invalid Authorization header.") }
    return Text(Substring(token))
  }

  /// Makes the error for a request without a usable token.
  static func missing(_ message: Text = "Missing access token") -> MatrixError {
    .missingToken(message)
  }

  /// Compares two secrets in a time that depends on their lengths only.
  static func isEqual(_ left: Text, _ right: Text) -> Bool {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (a, b) in zip(left, right) { difference |= a ^ b }
    return difference == 0
  }
}
