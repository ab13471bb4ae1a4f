import ByteText
import YAML

/// Settings of Synapse 1.163.2 that have no effect here, because what they set does not exist yet.
///
/// A list goes, with its file, when its capability comes: its settings are then read. `SettingsLedgerTests` goes through every setting of Synapse.
struct AbsentCapability: Sendable {
  /// A setting that the server must not pass over in silence.
  struct Guard: Sendable {
    /// What makes the setting shut something.
    enum Condition: Sendable {
      /// What Python counts as true, since Synapse takes several of these settings as they are: a quoted `"yes"` is on.
      case isTrue
      /// Neither null nor empty.
      case isSet
    }

    let name: Text
    let condition: Condition
    /// What happens where the setting has no effect.
    let consequence: Text

    init(_ name: Text, _ condition: Condition, _ consequence: Text) {
      self.name = name
      self.condition = condition
      self.consequence = consequence
    }

    func holds(_ node: YAMLNode) -> Bool {
      switch (condition, node.content) {
      case (.isTrue, .bool(let value)): value
      case (.isTrue, .integer(let value)): value != 0
      case (.isTrue, .double(let value)): value != 0
      case (.isTrue, .string(let value)): !value.isEmpty
      case (_, .null), (.isSet, .bool(false)): false
      case (_, .sequence(let elements)): !elements.isEmpty
      case (_, .mapping(let mapping)): !mapping.isEmpty
      case (.isSet, _): true
      }
    }
  }

  /// Names of settings without effect, with all that is below them. `[]` stands for any element of a list, `<name>` for any name.
  let settings: Set<Text>
  /// Settings that shut something, which is open to everybody where they have no effect.
  let guards: [Guard]

  /// Describes a capability by its settings, a line each.
  init(_ settings: Text, guards: [Guard] = []) {
    self.settings = Set(settings.words)
    self.guards = guards
  }

  /// The lists of all capabilities.
  static let all: [AbsentCapability] = [
    .accounts, .administration, .applicationServices, .delayedEvents, .expiry,
    .federation, .identity, .media, .modules, .operations, .push, .python,
    .singleSignOn, .sync,
  ]
}
