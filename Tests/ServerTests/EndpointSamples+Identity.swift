import MatrixPrimitives
import TestSupport
import Testing

extension EndpointSamples {
  /// What the samples of mails, logins and pages need of the configuration.
  static var identitySettings: Text {
    """
    email: {smtp_host: 127.0.0.1, smtp_port: \(MailTrap.shared.port), enable_tls: false, notif_from: "Test <t@test>"}
    login_via_existing_session: {enabled: true}
    """
  }

  /// Endpoints that succeed only with another server's help; `Tests/Behaviour/own_mail.py` has one.
  static let needOthers: Set<Text> = [
    "requestTokenToRegisterMSISDN", "requestTokenTo3PIDMSISDN", "submitMSISDNToken", "bind3PID",
  ]

  static let identity: [Text: Recipe] = [
    "requestTokenToRegisterEmail": { server in
      Sample(target: "register/email/requestToken", body: request(server.unique("a") + "@x.org"))
    },
    "requestTokenTo3PIDEmail": { server in
      Sample(target: "account/3pid/email/requestToken", body: request(server.unique("a") + "@x.org"))
    },
    "requestTokenToResetPasswordEmail": { server in
      let address = server.unique("a") + "@x.org"
      _ = try await owner(of: address, server)
      return Sample(target: "account/password/email/requestToken", body: request(address))
    },
    "followRegistrationLink": { Sample(target: try await link("register", $0)) },
    "followAdditionLink": { Sample(target: try await link("account/3pid", $0)) },
    "getPasswordResetPage": { Sample(target: try await resetLink($0)) },
    "followPasswordResetLink": { Sample(target: try await resetLink($0)) },
    "post3PIDs": { server in
      let creds = try await proof(of: server.unique("a") + "@x.org", server)
      return Sample(
        target: "account/3pid", body: #"{"three_pid_creds":\#(creds)}"#, caller: try await server.register())
    },
    "add3PID": { server in
      let user = try await server.register()
      let creds = try await proof(of: server.unique("a") + "@x.org", server)
      return Sample(target: "account/3pid/add", body: "\(creds.dropLast()),\(auth(user))}", caller: user)
    },
    "unbind3pidFromAccount": { server in
      Sample(
        target: "account/3pid/unbind", body: #"{"medium":"email","address":"a@x.org"}"#,
        caller: try await server.register())
    },
    "delete3pidFromAccount": { server in
      let address = server.unique("a") + "@x.org"
      let user = try await owner(of: address, server)
      return Sample(
        target: "account/3pid/delete", body: #"{"medium":"email","address":"\#(address)"}"#, caller: user)
    },
    "getStagePage": { _ in Sample(target: "auth/m.login.registration_token/fallback/web?session=s") },
    "submitStagePage": { server in
      let session = try await server.call("POST", "register", "{}").json["session"]?.string ?? ""
      return Sample(target: "auth/m.login.terms/fallback/web", body: "session=\(session)")
    },
    "requestOpenIdToken": { server in
      let user = try await server.register()
      return Sample(target: "user/\(escaped(user.id))/openid/request_token", body: "{}", caller: user)
    },
    "generateLoginToken": { server in
      let user = try await server.register()
      return Sample(target: "/_matrix/client/v1/login/get_token", body: "{\(auth(user))}", caller: user)
    },
  ]

  private static func request(_ address: Text) -> Text {
    #"{"client_secret":"secret","email":"\#(address)","send_attempt":1}"#
  }

  /// Asks for a mail and returns the link in it, as a target.
  private static func link(_ path: Text, to address: Text? = nil, _ server: TestServer) async throws -> Text {
    let address = address ?? server.unique("a") + "@x.org"
    let answer = try await server.call("POST", "\(path)/email/requestToken", request(address))
    try #require(answer.status == 200, "\(Text(decoding: answer.bytes, as: UTF8.self))")
    return try #require(MailTrap.shared.link(to: address)?.dropping(prefix: "https://test"))
  }

  private static func resetLink(_ server: TestServer) async throws -> Text {
    let address = server.unique("a") + "@x.org"
    _ = try await owner(of: address, server)
    return try await link("account/password", to: address, server)
  }

  /// Proves that an address is somebody's.
  ///
  /// - Returns: what names the proof, as JSON.
  private static func proof(of address: Text, _ server: TestServer) async throws -> Text {
    let followed = try await link("account/3pid", to: address, server)
    let page = try await server.call("GET", followed)
    try #require(page.status == 200)
    let session = try #require(followed.cut(at: "sid=")?.after)
    return #"{"client_secret":"secret","sid":"\#(session)"}"#
  }

  /// Makes an account with an address.
  private static func owner(of address: Text, _ server: TestServer) async throws -> TestServer.Account {
    let user = try await server.register()
    let creds = try await proof(of: address, server)
    let answer = try await server.call("POST", "account/3pid", #"{"three_pid_creds":\#(creds)}"#, as: user)
    try #require(answer.status == 200, "\(Text(decoding: answer.bytes, as: UTF8.self))")
    return user
  }
}
