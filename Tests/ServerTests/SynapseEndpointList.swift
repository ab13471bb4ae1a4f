import ByteText
import EndpointKit
import Foundation
import MatrixPrimitives

/// `SynapseEndpoints.tsv`: what Synapse 1.163.2 serves to clients, and what of it is served here.
///
/// Its columns: method, path (captures are `{}`, a rest `{...}`), version prefixes of `/_matrix/client/` (`-`: the path is whole), the
/// setting without which Synapse does not serve it (`-`: none), state.
struct SynapseEndpointList {
  /// One operation.
  struct Row {
    let method: Text
    let path: Text
    /// Prefixes below `/_matrix/client/`; empty when the path is whole.
    let versions: [Text]
    /// The setting that switches it on in Synapse; nil when it is always there.
    let setting: Text?
    var state: State

    /// Every path, as a pattern.
    var patterns: [PathPattern] {
      versions.isEmpty ? [PathPattern(path)] : versions.map { PathPattern("/_matrix/client/\($0)\(path)") }
    }

    /// The line of the file.
    var line: Text {
      let versions = self.versions.isEmpty ? "-" : self.versions.joined(separator: " ")
      return ([method, path, versions, setting ?? "-", state.text] as [Text]).joined(separator: "\t")
    }
  }

  /// What is done with an operation here.
  enum State: Equatable {
    /// It is served as Synapse serves it.
    case served
    /// It is served whether or not the setting is there.
    case servedAlways
    /// It is not served, for this reason.
    case leftOut(Text)
    /// Synapse does not serve it; the reason why it is served here.
    case added(Text)

    /// The column of the file.
    var text: Text {
      switch self {
      case .served: "served"
      case .servedAlways: "served always"
      case .leftOut(let reason): "left out: \(reason)"
      case .added(let reason): "added: \(reason)"
      }
    }

    /// Reads the column; nil when it says something else.
    init?(_ text: Text) {
      if text == "served" {
        self = .served
      } else if text == "served always" {
        self = .servedAlways
      } else if let reason = text.dropping(prefix: "left out: "), !reason.isEmpty {
        self = .leftOut(reason)
      } else if let reason = text.dropping(prefix: "added: "), !reason.isEmpty {
        self = .added(reason)
      } else {
        return nil
      }
    }

    /// Whether something answers.
    var isServed: Bool {
      if case .leftOut = self { false } else { true }
    }
  }

  /// The file's text is not a list.
  struct Malformed: Error {
    let line: Text
  }

  static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "SynapseEndpoints.tsv" as String)

  private let heading: Text
  var rows: [Row]

  /// Reads the file.
  init() throws {
    let text = Text(decoding: [UInt8](try Data(contentsOf: Self.file)), as: UTF8.self)
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
    heading = lines.first ?? ""
    rows = try lines.dropFirst().map { line in
      let columns = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      guard columns.count == 5, let state = State(columns[4]) else { throw Malformed(line: line) }
      let versions = columns[2] == "-" ? [] : columns[2].split(separator: UInt8(ascii: " "))
      return Row(
        method: columns[0], path: columns[1], versions: versions, setting: columns[3] == "-" ? nil : columns[3],
        state: state)
    }
  }

  /// Writes the file, by path.
  func write() throws {
    let lines = rows.sorted { ($0.path, $0.method) < ($1.path, $1.method) }.map(\.line)
    let text = ([heading] + lines).joined(separator: "\n") + "\n"
    try Data(text.utf8).write(to: Self.file)
  }

  /// Whether an operation that a row names covers a path of ours.
  func covers(_ method: Text, _ path: PathPattern) -> Bool {
    rows.contains { row in
      row.method == method && row.state.isServed
        && row.patterns.contains { Self.covers($0.segments[...], path.segments[...]) }
    }
  }

  private static func covers(_ theirs: ArraySlice<PathPattern.Segment>, _ ours: ArraySlice<PathPattern.Segment>) -> Bool
  {
    guard let first = theirs.first else { return ours.isEmpty }
    if case .rest = first { return !ours.isEmpty }
    guard let other = ours.first else { return false }
    switch (first, other) {
    case (.literal(let text), .literal(let same)) where text == same: break
    case (.parameter, .literal), (.parameter, .parameter): break
    default: return false
    }
    return covers(theirs.dropFirst(), ours.dropFirst())
  }
}
