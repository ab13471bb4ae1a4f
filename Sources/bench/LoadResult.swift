/// What a round measured.
struct LoadResult: Sendable {
  let tally: LoadTally
  /// The length of the measured part.
  let seconds: Double
  /// Processor time that the generator's thread used in it.
  let threadSeconds: Double
}
