import Foundation
import MatrixPrimitives

/// The program that answers questions about events and states, a line of JSON each; `Tests/Interop/rules.py` asks the
/// same of Synapse.
@main
struct RulesProbe {
  static func main() {
    var session = ProbeSession()
    while let line = readLine() {
      let answer: JSON
      do {
        answer = try session.answer(try JSONValue.parse(Text(line)))
      } catch {
        answer = ["error": .string("\(error)")]
      }
      // Not `print`, which keeps lines back when nobody reads them at a terminal.
      FileHandle.standardOutput.write(Data(answer.encoded + [UInt8(ascii: "\n")]))
    }
  }
}
