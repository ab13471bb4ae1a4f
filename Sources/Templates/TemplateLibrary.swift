import FoundationEssentials
import MatrixPrimitives
import Synchronization

/// The templates of the server: those in folders of the administrator's, and the standard ones for what is not there.
///
/// A template is read when it is first wanted, and kept. A name leads to nothing outside of the folders.
public final class TemplateLibrary: Sendable {
  private let folders: [Text]
  private let publicBaseURL: Text
  private let sources: [Text: Text]
  /// The names that every template knows.
  let globals: [Text: TemplateValue]
  private let programs = Mutex<[Text: TemplateProgram]>([:])

  /// Makes a library.
  ///
  /// - Parameters:
  ///   - folders: where a template is looked for, in this order, before the standard ones are.
  ///   - serverName: the value of `server_name` in every template.
  ///   - publicBaseURL: the address below which media are; ends with a slash.
  ///   - sources: the standard templates by their names.
  public init(
    folders: [Text], serverName: Text, publicBaseURL: Text, sources: [Text: Text] = StandardTemplates.sources
  ) {
    self.folders = folders
    self.publicBaseURL = publicBaseURL
    self.sources = sources
    globals = ["server_name": .text(serverName)]
  }

  /// Renders a template.
  ///
  /// - Throws: `TemplateError` for a template that is missing or broken, or goes beyond the bounds.
  public func render(_ name: Text, _ values: [Text: TemplateValue] = [:]) throws(TemplateError) -> Text {
    try TemplateRenderer(self, try program(named: name), values).render()
  }

  /// Reads a template without rendering it, to find at the start of a process what is wrong with it.
  ///
  /// - Throws: `TemplateError` for a template that is missing or broken.
  public func check(_ name: Text) throws(TemplateError) { _ = try program(named: name) }

  /// Returns whether there is a template of a name, good or broken.
  public func has(_ name: Text) -> Bool { programs.withLock { $0[name] != nil } || source(of: name) != nil }

  func program(named name: Text) throws(TemplateError) -> TemplateProgram {
    guard let program = try firstProgram(of: [name]) else { throw TemplateError(name, "there is no such template") }
    return program
  }

  func firstProgram(of names: [Text]) throws(TemplateError) -> TemplateProgram? {
    for name in names {
      if let known = programs.withLock({ $0[name] }) { return known }
      guard let source = source(of: name) else { continue }
      let program = try TemplateParser.parse(source, name: name)
      programs.withLock { $0[name] = program }
      return program
    }
    return nil
  }

  private func source(of name: Text) -> Text? {
    guard !name.utf8.contains(0), !name.hasPrefix("/"),
      !name.split(separator: UInt8(ascii: "/")).contains(where: { $0 == ".." })
    else { return nil }
    for folder in folders {
      let url = URL(fileURLWithPath: Text("\(folder)/\(name)").string)
      // A file that is not there is looked for elsewhere.
      if let data = try? Data(contentsOf: url) { return Text(decoding: Array(data), as: UTF8.self) }
    }
    return sources[name]
  }

  /// Applies one of the filters that Synapse adds to the language.
  func filtered(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments, in template: Text)
    throws(TemplateError) -> TemplateValue?
  {
    switch name {
    case "format_ts":
      guard let moment = value.number.flatMap({ Int64(exactly: $0.rounded(.towardZero)) }),
        let format = arguments.value(0, "format")?.string
      else { throw TemplateError(template, "format_ts wants a time and a format") }
      return .text(TemplateFormat.moment(moment, format))
    case "localpart_from_email":
      let parts = value.shown.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
      return .text(parts.count > 1 ? parts.dropLast().joined(separator: "@") : value.shown)
    case "mxc_to_http": return .text(thumbnail(value.shown, arguments))
    default: return nil
    }
  }

  private func thumbnail(_ uri: Text, _ arguments: TemplateArguments) -> Text {
    guard let rest = uri.dropping(prefix: "mxc://") else { return "" }
    let (media, fragment) = rest.cut(at: "#").map { ($0.before, "#" + $0.after) } ?? (rest, "")
    let fields = PercentEncoding.form([
      "width": arguments.value(0, "width")?.shown ?? "", "height": arguments.value(1, "height")?.shown ?? "",
      "method": arguments.value(2, "resize_method")?.shown ?? "crop",
    ])
    return "\(publicBaseURL)_matrix/media/v1/thumbnail/\(media)?\(fields)\(fragment)"
  }
}
