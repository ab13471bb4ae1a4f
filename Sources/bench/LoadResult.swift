/// Tells what a round measured.
struct LoadResult: Sendable {
  let tally: LoadTally
  /// How long the measured part was.
  let seconds: Double
  /// Processor time that the generator's thread used in it.
  let threadSeconds: Double
}
