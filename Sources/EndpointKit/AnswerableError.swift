/// An error that is an answer: the router sends its response, whatever the status.
///
/// For what is no `MatrixError`, such as the 401 of interactive authentication, which has a body of its own.
public protocol AnswerableError: Error {
  /// The answer.
  var response: Response { get }
}
