import ArgumentParser
import Foundation
import MatrixPrimitives

/// The measurement of hot code by itself, without network and database.
@main
struct Microbench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures parsing, hashing, signing, auth rules, state resolution, push rules and codecs.")

  @Flag(help: "Print JSON instead of a table.")
  var json = false
  @Flag(help: "Print the names only, with the calls that are counted in instructions.")
  var list = false
  @Option(help: "Only benchmarks whose name begins with this; may be repeated.")
  var only: [String] = []
  @Option(help: "Samples of each benchmark.")
  var samples = 5
  @Option(help: "Milliseconds a sample takes at least.")
  var sampleMilliseconds = 200
  @Option(help: "Call this one benchmark's body as often as its counted calls say, for callgrind.")
  var count: String?

  func run() throws {
    if let count { return try countInstructions(count) }
    let chosen = Benchmark.all.filter { benchmark in only.isEmpty || only.contains { benchmark.name.hasPrefix($0) } }
    if list {
      for benchmark in chosen { print("\(benchmark.name)\t\(benchmark.countedCalls)") }
      return
    }
    var measurements: [Measurement] = []
    for benchmark in chosen {
      let measurement = try Measurement.take(
        benchmark, samples: samples, sampleTime: .milliseconds(sampleMilliseconds))
      measurements.append(measurement)
      if !json { print(Self.line(measurement)) }
    }
    if json {
      let document: JSON = ["benchmarks": .array(measurements.map(\.json))]
      print(String(decoding: document.encoded, as: UTF8.self))
    }
  }

  private func countInstructions(_ name: String) throws {
    guard let benchmark = Benchmark.all.first(where: { $0.name == name }), benchmark.countedCalls > 0,
      case .plain(let work) = try benchmark.prepare()
    else { throw ValidationError("'\(name)' is no benchmark whose instructions are counted.") }
    // The first call fills what is made only once: tables, types, lazy statics.
    try work()
    try countedRegion(work, calls: benchmark.countedCalls)
  }

  private static func line(_ measurement: Measurement) -> String {
    let name = measurement.benchmark.name.padding(toLength: 44, withPad: " ", startingAt: 0)
    let memory = measurement.peakBytes.map { String(format: "%8.1f MB", Double($0) / 1e6) } ?? ""
    return String(
      format: "%@ %14.0f %@/s %12.2f us  ±%.0f %% %@", name, measurement.perSecond, measurement.benchmark.unit,
      measurement.nanoseconds / 1000, measurement.spread * 50, memory)
  }
}
