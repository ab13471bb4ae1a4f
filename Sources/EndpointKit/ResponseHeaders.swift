import HTTPTypes

/// The header fields that every response carries.
enum ResponseHeaders {
  /// Lets browsers read the response from any origin (client-server API, "Web Browser Clients").
  static func addCORS(_ headers: inout HTTPFields) {
    headers.append(contentsOf: cors)
  }

  /// Forbids caching where the handler did not allow it.
  static func addCacheControl(_ headers: inout HTTPFields) {
    if !headers.contains(.cacheControl) { headers.append(noStore) }
  }

  // Made once: a field's value is checked byte by byte whenever one is made.
  static let cors = [
    HTTPField(name: .accessControlAllowOrigin, value: "*"),
    HTTPField(name: .accessControlAllowMethods, value: "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    HTTPField(
      name: .accessControlAllowHeaders,
      value: "X-Requested-With, Content-Type, Authorization, Date, If-Match, If-None-Match"),
    HTTPField(name: .accessControlExposeHeaders, value: "Retry-After, Server, ETag"),
  ]
  private static let noStore = HTTPField(name: .cacheControl, value: "no-cache, no-store, must-revalidate")
}
