import ArgumentParser
import AsyncHTTPClient
import ByteText
import Foundation
import Glibc
import ServerConfig

/// The program that registers a user with the shared secret, also where registration is closed.
@main
struct RegisterNewMatrixUser: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "register_new_matrix_user",
    abstract: "Registers a new user by the shared secret, also where registration is closed.",
    discussion: "The server needs registration_shared_secret in its configuration.")

  @Option(name: .shortAndLong, help: "The localpart of the new user. Asked for when left out.")
  var user: String?

  @Flag(name: .customLong("exists-ok"), help: "Do not fail when the user exists already; the account is left as it is.")
  var existsOK = false

  @Option(name: .shortAndLong, help: "The password. Asked for when this and --password-file are left out.")
  var password: String?

  @Option(help: "A file that holds the password.")
  var passwordFile: String?

  @Option(name: [.customShort("t"), .customLong("user_type")], help: "The type of the user, such as bot or support.")
  var userType: String?

  @Flag(
    name: [.customShort("a"), .customLong("admin")],
    help: "Make the user an administrator. Asked when neither this nor --no-admin is given.")
  var admin = false

  @Flag(name: .customLong("no-admin"), help: "Make the user an ordinary one.")
  var noAdmin = false

  @Option(
    name: .shortAndLong, parsing: .singleValue, help: "A configuration file with the shared secret; may be repeated.")
  var config: [String] = []

  @Option(name: [.customShort("k"), .long], help: "The shared secret itself.")
  var sharedSecret: String?

  @Argument(help: "The server's address. Found in the configuration when left out, or http://localhost:8008.")
  var serverURL: String?

  func validate() throws {
    guard config.isEmpty != (sharedSecret == nil) else {
      throw ValidationError("Give either --config or --shared-secret.")
    }
    guard !(admin && noAdmin) else { throw ValidationError("--admin and --no-admin contradict each other.") }
    guard password == nil || passwordFile == nil else {
      throw ValidationError("--password and --password-file contradict each other.")
    }
  }

  func run() async throws {
    let (secret, url) = try target()
    let request = RegistrationRequest(
      server: url, secret: secret, user: try chosenUser(), password: try chosenPassword(), isAdmin: isAdmin(),
      userType: userType)
    print("Sending registration request...")
    let outcome: RegistrationRequest.Outcome
    do {
      outcome = try await request.send(HTTPClient.shared)
    } catch {
      try fail("Cannot reach \(url): \(error)")
    }
    switch outcome {
    case .registered: print("Success!")
    case .alreadyExists where existsOK: print("User already exists. Skipping.")
    case .alreadyExists: try fail("ERROR! The user exists already.")
    case .refused(let problem): try fail("ERROR! \(problem)")
    }
  }

  private func target() throws -> (secret: String, url: String) {
    let standard = "http://localhost:8008"
    guard let sharedSecret else {
      let settings = try SharedSecretRegistration.load(paths: config.map { Text($0) })
      if serverURL == nil && settings.serverURL == nil {
        note("The configuration has no plain HTTP listener for clients. Trying \(standard).")
      }
      return (settings.secret.string, serverURL ?? settings.serverURL?.string ?? standard)
    }
    if serverURL == nil { note("Neither an address nor a configuration is given. Trying \(standard).") }
    return (sharedSecret, serverURL ?? standard)
  }

  private func chosenUser() throws -> String {
    if let user, !user.isEmpty { return user }
    let standard = NSUserName()
    print("New user localpart [\(standard)]: ", terminator: "")
    fflush(nil)
    let answer = readLine() ?? ""
    let name = answer.isEmpty ? standard : answer
    guard !name.isEmpty else { try fail("Invalid user name") }
    return name
  }

  private func chosenPassword() throws -> String {
    if let passwordFile {
      do {
        let text = try String(contentsOfFile: passwordFile, encoding: .utf8)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
      } catch {
        try fail("Cannot read \(passwordFile): \(error.localizedDescription)")
      }
    }
    if let password, !password.isEmpty { return password }
    guard let first = HiddenInput.read("Password: "), !first.isEmpty else { try fail("Password cannot be blank.") }
    guard HiddenInput.read("Confirm password: ") == first else { try fail("Passwords do not match") }
    return first
  }

  private func isAdmin() -> Bool {
    if admin || noAdmin { return admin }
    print("Make admin [no]: ", terminator: "")
    fflush(nil)
    return ["y", "yes", "true"].contains(readLine() ?? "")
  }

  private func note(_ text: String) { StandardError.write(text + "\n") }

  private func fail(_ text: String) throws -> Never {
    note(text)
    throw ExitCode(1)
  }
}
