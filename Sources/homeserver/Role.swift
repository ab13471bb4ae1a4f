import ClientComposition
import WorkerRuntime

extension Role {
  /// The main process, or the whole server: everything that the configuration does not give away.
  static let homeserver = Role("homeserver", kind: .homeserver) { process in
    let serving = try ClientServing(process)
    return serving.composition(with: [
      AdministrationSubsystem(process, accounts: serving.accounts, encryption: serving.encryption)
    ])
  }
}
