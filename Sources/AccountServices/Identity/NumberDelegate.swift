import MatrixPrimitives
import Stores
import Templates

/// The server that proves who owns telephone numbers (`account_threepid_delegates.msisdn`).
final class NumberDelegate: Sendable {
  private let base: Text?
  private let publicBaseURL: Text
  private let client: IdentityServerClient

  init(base: Text?, publicBaseURL: Text, client: IdentityServerClient) {
    self.base = base
    self.publicBaseURL = publicBaseURL
    self.client = client
  }

  /// Whether there is one.
  var isEnabled: Bool { base != nil }

  private func url(_ path: Text) throws(MatrixError) -> Text {
    guard let base else {
      throw .unknown("This homeserver is not validating phone numbers. Use an identity server instead.")
    }
    return "\(base)/_matrix/identity/api/v1/\(path)"
  }

  /// Has a code sent.
  func request(_ body: JSON) async throws -> JSON {
    var answer = try await client.post(
      try url("validate/msisdn/requestToken"), body, trust: .administrator)
    // The code comes back by way of this server (MSC2078).
    answer["submit_url"] = .string("\(publicBaseURL)_matrix/client/unstable/add_threepid/msisdn/submit_token")
    return answer
  }

  /// Brings a code.
  func submit(_ body: JSON) async throws -> JSON {
    let target = try url("validate/msisdn/submitToken")
    do {
      return try await client.post(target, body, trust: .administrator)
    } catch {
      throw (400..<500).contains(error.status) ? .unknown("Error contacting the identity server") : error
    }
  }

  /// Asks for a number that was proved; nil when the proof is not known.
  func proved(session: Text, clientSecret: Text) async throws -> ProvedIdentifier? {
    guard isEnabled else { return nil }
    let query = PercentEncoding.form(["sid": session, "client_secret": clientSecret])
    guard let answer = try await client.get("\(try url("3pid/getValidated3pid"))?\(query)", trust: .administrator),
      answer["medium"]?.string == "msisdn", let address = answer["address"]?.string,
      let moment = answer["validated_at"]?.integer
    else { return nil }
    return ProvedIdentifier(
      medium: "msisdn", address: try ThirdPartyAddress.canonical("msisdn", address), validatedAtMilliseconds: moment)
  }
}
