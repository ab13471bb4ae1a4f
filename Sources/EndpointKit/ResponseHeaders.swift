import HTTPTypes

/// Adds the header fields that every response carries.
enum ResponseHeaders {
  /// Lets browsers read the response from any origin (client-server API, "Web Browser Clients").
  static func addCORS(_ headers: inout HTTPFields) {
    headers[.accessControlAllowOrigin] = "*"
    headers[.accessControlAllowMethods] = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
    headers[.accessControlAllowHeaders] = "X-Requested-With, Content-Type, Authorization, Date"
    headers[.accessControlExposeHeaders] = "Retry-After, Server"
  }

  /// Forbids caching where the handler did not allow it.
  static func addCacheControl(_ headers: inout HTTPFields) {
    if headers[.cacheControl] == nil { headers[.cacheControl] = "no-cache, no-store, must-revalidate" }
  }
}
