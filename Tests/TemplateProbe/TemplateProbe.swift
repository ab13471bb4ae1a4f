import MatrixPrimitives
import Templates

/// Renders templates of a folder: each line of the input is `{"name": "a.html", "values": {…}}`, each of the output `{"result": "…"}` or `{"error": "…"}`.
///
/// usage: template_probe FOLDER
@main
enum TemplateProbe {
  static func main() {
    let folder = CommandLine.arguments.dropFirst().first.map { Text($0) } ?? "."
    let library = TemplateLibrary(
      folders: [folder], serverName: "example.org", publicBaseURL: "https://example.org/", sources: [:])
    while let line = readLine() {
      print(Text(decoding: answer(Text(line), library).encoded, as: UTF8.self))
    }
  }

  private static func answer(_ line: Text, _ library: TemplateLibrary) -> JSON {
    do {
      let request = try JSON.parse(line)
      let values = request["values"]?.members?.mapValues { TemplateValue($0) } ?? [:]
      return ["result": .string(try library.render(request["name"]?.string ?? "", values))]
    } catch {
      return ["error": .string(Text(describing: error))]
    }
  }
}
