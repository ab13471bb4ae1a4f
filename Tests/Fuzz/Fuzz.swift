#if LIBFUZZER
  import ByteText
  import Foundation

  /// The target libFuzzer drives, named in the environment because the command line is libFuzzer's.
  private let chosenTarget = FuzzTarget(
    rawValue: Text(ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""))

  /// Takes one input from libFuzzer.
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let chosenTarget else { fatalError("FUZZ_TARGET must be one of \(FuzzTarget.allCases.map(\.rawValue))") }
    do {
      try chosenTarget.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
      fatalError("\(error)")
    }
    return 0
  }
#else
  import ArgumentParser
  import ByteText
  import Foundation

  /// The program that feeds targets with mutated inputs. The same seed and number of executions give the same run.
  @main
  struct Fuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Feeds parsers and rules with broken input; ends with 1 when a property does not hold.")

    @Option(help: "The folder with a folder of good inputs for each target.")
    var corpus: String = "Tests/Fuzz/corpus"
    @Option(help: "The seed; the same seed makes the same inputs.")
    var seed: UInt64 = 1
    @Option(help: "How many inputs to try on each target.")
    var executions: Int?
    @Option(help: "How long to try each target, in seconds.")
    var seconds: Int = 10
    @Argument(help: "The targets: json, canonical, event, identifiers, replication, tokens. All without any.")
    var targets: [String] = []

    func run() throws {
      let chosen = try targets.map { name in
        guard let target = FuzzTarget(rawValue: Text(name)) else {
          throw ValidationError("There is no target '\(name)'.")
        }
        return target
      }
      for target in chosen.isEmpty ? FuzzTarget.allCases : chosen { try run(target) }
    }

    private func run(_ target: FuzzTarget) throws {
      var mutator = Mutator(seed: seed, corpus: try goodInputs(of: target))
      let start = ContinuousClock.now
      var count = 0
      while executions.map({ count < $0 }) ?? (start.duration(to: .now) < .seconds(seconds)) {
        let input = mutator.next()
        count += 1
        do {
          try target.run(input)
        } catch {
          print(
            "\(target.rawValue): execution \(count) of seed \(seed): \(error)\n\(Data(input).base64EncodedString())")
          throw ExitCode(1)
        }
      }
      let elapsed = start.duration(to: .now).components.seconds
      print("\(target.rawValue): \(count) executions in \(elapsed) s, seed \(seed)")
    }

    /// Sorted by name, so that the same files give the same run.
    private func goodInputs(of target: FuzzTarget) throws -> [[UInt8]] {
      let folder = URL(fileURLWithPath: corpus).appendingPathComponent(target.rawValue.string)
      let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      return try files.sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
    }
  }
#endif
