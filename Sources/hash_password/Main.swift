import ArgumentParser
import ByteText
import Foundation
import Glibc
import MatrixPrimitives
import PasswordHashing
import ServerConfig

/// The program that prints the hash of a password as the database keeps it.
@main
struct HashPassword: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hash_password", abstract: "Prints the hash of a new password, for resetting one by hand.")

  @Option(name: .shortAndLong, help: "The password. Asked for when left out.")
  var password: String?

  @Option(
    name: .shortAndLong, help: "The server's configuration file, from which bcrypt_rounds and the pepper are read.")
  var config: String

  func run() throws {
    let settings = try PasswordSettings.load(path: Text(config))
    let given = password.flatMap { $0.isEmpty ? nil : $0 }
    guard
      let password = given ?? (isatty(STDIN_FILENO) == 1 ? ask() : readLine()?.trimmingCharacters(in: .whitespaces)),
      !password.isEmpty
    else { throw ValidationError("The password cannot be blank.") }
    do {
      print(try PasswordHasher.hash(Text(password), pepper: settings.pepper, rounds: settings.bcryptRounds))
    } catch let error as MatrixError {
      throw ValidationError(error.message.string)
    }
  }

  private func ask() -> String? {
    guard let first = HiddenInput.read("Password: "), let second = HiddenInput.read("Confirm password: ") else {
      return nil
    }
    guard first == second else {
      StandardError.write("The passwords do not match.\n")
      return nil
    }
    return first
  }
}
