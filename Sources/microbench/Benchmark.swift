/// One piece of hot code to be measured.
struct Benchmark {
  /// The measured work, done once.
  enum Body {
    case plain(() throws -> Void)
    /// Work that is written as async though nothing in it waits; it cannot be counted in instructions.
    case suspending(@Sendable () async throws -> Void)
  }

  /// The benchmark's name: `area/what`.
  let name: String
  /// The unit that is counted, in the plural.
  let unit: String
  /// The number of units that one call of the body does.
  let items: Int
  /// The number of calls of the body when instructions are counted; 0 leaves the benchmark out there.
  let countedCalls: Int
  /// Makes what the body needs; not measured.
  let prepare: () throws -> Body

  init(
    _ name: String, unit: String, items: Int = 1, countedCalls: Int = 0, prepare: @escaping () throws -> Body
  ) {
    self.name = name
    self.unit = unit
    self.items = items
    self.countedCalls = countedCalls
    self.prepare = prepare
  }

  /// All benchmarks in the order of the table.
  static var all: [Benchmark] {
    EventBenchmarks.all + RuleBenchmarks.all + ResolutionBenchmarks.all + CodecBenchmarks.all
  }
}

/// Keeps a result alive, so that the work that made it is not optimised away.
@inline(never)
func keep<T>(_ value: T) {
  withExtendedLifetime(value) {}
}

/// The error that a benchmark's fixture does not do what it is there for.
struct FixtureError: Error, CustomStringConvertible {
  let description: String
}
