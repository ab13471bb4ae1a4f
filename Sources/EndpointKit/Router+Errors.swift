import HTTPTypes
import Logging
import MatrixPrimitives

extension Router {
  /// Turns a thrown error into what the client sees.
  ///
  /// - Returns: nil for cancellation, when there is no recipient.
  @inline(never)
  func respond(toError error: any Error, id: Text, route: Route) -> Response? {
    if let error = error as? MatrixError { return Response(error) }
    if let error = error as? any AnswerableError { return error.response }
    if let refusal = settings.refusal(error) { return Response(refusal) }
    if error is CancellationError || Task.isCancelled { return nil }
    settings.logger.error(
      "Request failed",
      metadata: [
        "request": "\(id)", "endpoint": "\(route.endpoint?.name ?? "-")", "target": "\(route.redactedTarget)",
        "cause": "\(String(reflecting: error))",
      ])
    return Response(
      MatrixError(.unknown, "Internal server error", status: 500, extras: ["request_id": .string(id)]))
  }
}

extension Response {
  /// Shapes an error as the specification's standard error response, with `Retry-After` in whole seconds when the error names a wait.
  public init(_ error: MatrixError) {
    self = .json(status: error.status) { writer in error.write(to: &writer) }
    if let milliseconds = error.retryAfterMilliseconds {
      let wait = max(milliseconds, 0)
      headers[.retryAfter] = String(wait / 1000 + (wait % 1000 == 0 ? 0 : 1))
    }
  }
}
