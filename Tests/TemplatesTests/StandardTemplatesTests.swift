import Foundation
import MatrixPrimitives
import Testing

@testable import Templates

/// The templates that are compiled in.
@Suite struct StandardTemplatesTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "../../Configs/templates" as String)

  @Test func theyAreThoseOfTheFolder() throws {
    var files: [Text: Text] = [:]
    for file in try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil) {
      files[Text(file.lastPathComponent)] = Text(try String(contentsOf: file, encoding: .utf8))
    }
    #expect(files.keys.sorted() == StandardTemplates.sources.keys.sorted())
    for (name, source) in files {
      #expect(StandardTemplates.sources[name] == source, "run Deploy/embed-templates: \(name)")
    }
  }

  @Test func eachRendersWithWhatItIsGiven() throws {
    let library = TemplateLibrary(folders: [], serverName: "x", publicBaseURL: "https://x/")
    for name in StandardTemplates.sources.keys {
      let html = try library.render(
        name, ["link": "https://x/?a=1&b=<script>", "failure_reason": "<b>", "expiration_ts": 0, "display_name": "<i>"])
      if name.hasSuffix(".html") {
        #expect(!html.contains("<script>\"") && !html.contains("<b>") && !html.contains("<i>"))
      }
    }
  }
}
