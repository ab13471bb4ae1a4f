import ByteText

/// A writer of metrics in the text format of Prometheus (version 0.0.4).
package struct MetricsText: Sendable {
  /// The kinds of families of samples for Prometheus.
  package enum Kind: String, Sendable {
    /// Only grows, until the process ends.
    case counter
    /// A value that goes up and down.
    case gauge
  }

  private(set) var text = ""

  /// Makes an empty page.
  package init() {}

  /// Adds a family: its description, then one line for each sample.
  ///
  /// - Parameters:
  ///   - name: in snake case, counters ending in `_total`.
  ///   - kind: how to read it.
  ///   - help: one line.
  ///   - samples: labels with their values; labels in the order in which they are written.
  package mutating func family(
    _ name: String, _ kind: Kind, help: String, _ samples: [(labels: [(String, String)], value: Double)]
  ) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      text += name
      if !sample.labels.isEmpty {
        text += "{" + sample.labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",") + "}"
      }
      text += " \(Self.render(sample.value))\n"
    }
  }

  /// Adds a family with a single sample without labels.
  package mutating func sample(_ name: String, _ kind: Kind, help: String, _ value: Double) {
    family(name, kind, help: help, [([], value)])
  }

  private static func render(_ value: Double) -> String {
    Int64(exactly: value).map { String($0) } ?? String(value)
  }

  private static func escape(_ label: String) -> String {
    Text(label).replacing(UInt8(ascii: "\\"), with: "\\\\").replacing(UInt8(ascii: "\""), with: "\\\"")
      .replacing(UInt8(ascii: "\n"), with: "\\n").string
  }
}
