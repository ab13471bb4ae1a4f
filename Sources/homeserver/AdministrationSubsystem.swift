import AccountComposition
import AdminEndpoints
import EncryptionComposition
import EndpointKit
import WorkerRuntime

/// What administrators ask of the main process.
struct AdministrationSubsystem: Subsystem {
  let families: [EndpointFamily]

  init(_ process: ProcessContext, accounts: AccountSubsystem, encryption: EncryptionSubsystem) {
    families = [
      SharedSecretRegistrationEndpoints(config: process.config, accounts: accounts.accounts).family,
      CrossSigningEndpoints(crossSigning: encryption.encryption.crossSigning).family,
      SuspensionEndpoints(accounts: accounts.accounts).family,
    ]
  }
}
