import Crypto
import EndpointKit
import FoundationEssentials
import MatrixPrimitives
import ServerConfig

/// Where clients find the relays for their calls.
package struct TurnEndpoints: Sendable {
  private let settings: TurnSettings
  private let clock: ServerClock

  /// Makes the family.
  package init(settings: TurnSettings, clock: ServerClock) {
    self.settings = settings
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    let path = EndpointPaths.client("voip/turnServer", .sinceV1)
    return EndpointFamily(
      "calls",
      [
        settings.allowsGuests
          ? .get("getTurnServer", path, as: UserOrGuest.self, limited: true, to: turnServer)
          : .get("getTurnServer", path, as: User.self, limited: true, to: turnServer)
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3voipturnserver
  private func turnServer(_ caller: some AccountHolder, _ request: Request) -> Response {
    guard !settings.uris.isEmpty, let (name, password) = credentials(of: caller.userID) else { return .emptyObject }
    return .json { writer in
      writer.object {
        $0.member("username", name)
        $0.member("password", password)
        $0.member("ttl", settings.lifetimeMilliseconds / 1_000)
        $0.member("uris", strings: settings.uris)
      }
    }
  }

  /// Makes credentials that the relay can check by the shared secret, or takes the fixed ones.
  ///
  /// Source: "A REST API For Access To TURN Services" (draft-uberti-behave-turn-rest).
  private func credentials(of user: UserID) -> (name: Text, password: Text)? {
    guard let secret = settings.sharedSecret else {
      guard let name = settings.username, let password = settings.password else { return nil }
      return (name, password)
    }
    let expiry = (clock.nowMilliseconds &+ settings.lifetimeMilliseconds) / 1_000
    let name: Text = "\(expiry):\(user.rawValue)"
    var hmac = HMAC<Insecure.SHA1>(key: SymmetricKey(data: Array(secret.utf8)))
    hmac.update(data: Array(name.utf8))
    return (name, Text(Data(hmac.finalize()).base64EncodedString()))
  }
}
