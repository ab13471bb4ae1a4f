import Foundation

/// The signals to the program that started the generator when the measured part begins and ends, with a wait for its word each
/// time.
///
/// Between the two words the one who started it can read counters of server and database that belong to exactly this load.
struct Gate: Sendable {
  /// Whether anything is said and waited for.
  let isOpen: Bool

  /// Writes a line `{"phase": …}` and waits for a line on standard input.
  func pass(_ phase: String) async {
    guard isOpen else { return }
    await withCheckedContinuation { continuation in
      // A thread of its own: reading blocks while the load continues.
      Thread.detachNewThread {
        FileHandle.standardOutput.write(Data("{\"phase\": \"\(phase)\"}\n".utf8))
        _ = readLine()
        continuation.resume()
      }
    }
  }
}
