import ByteText
import Testing

@testable import ServerConfig

/// The lists of what waits for its capability, compared with the ledger of all settings.
@Suite struct AbsentCapabilityTests {
  private static let withoutEffect = SettingsLedgerTests.entries.filter {
    ($0.state == "ignored" || $0.state == "guarded") && !$0.name.hasPrefix("experimental_features.")
  }

  /// Settings without a line of their own in the ledger: other places of settings that have one, and a key that only warns.
  private static let besideTheLedger: Set<Text> = [
    "databases.<name>.txn_limit", "push_rules", "worker_listeners[].additional_resources",
  ]

  /// Returns whether a setting is one of a list's, or below it.
  private static func covers(_ setting: Text, _ name: Text) -> Bool {
    name == setting || name.hasPrefix("\(setting).") || name.hasPrefix("\(setting)[")
  }

  @Test func everySettingWithoutEffectWaitsForOneCapability() {
    for entry in Self.withoutEffect {
      let waiting = AbsentCapability.all.filter { $0.settings.contains { Self.covers($0, entry.name) } }
      #expect(waiting.count == 1, "\(entry.name)")
    }
  }

  @Test func everySettingThatWaitsIsInTheLedger() {
    for setting in AbsentCapability.all.flatMap(\.settings) where !Self.besideTheLedger.contains(setting) {
      #expect(Self.withoutEffect.contains { Self.covers(setting, $0.name) }, "\(setting)")
    }
  }

  @Test func whatShutsSomethingWaitsWithItsCapability() {
    for capability in AbsentCapability.all {
      for name in capability.guards.map(\.name) where !name.hasPrefix("experimental_features.") {
        #expect(capability.settings.contains { Self.covers($0, name) }, "\(name)")
      }
    }
  }
}
