import ArgumentParser
import NIOPosix

/// The measurement of the generator's own limit.
struct CalibrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate", abstract: "Measures how much load the generator itself can make.")

  @OptionGroup var load: LoadArguments

  func run() async throws {
    let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let responder = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let calibration = Calibration(plan: load.plan(connections: 16))
    try Output.write(try await calibration.run(on: threads.next(), responder: responder))
    try await threads.shutdownGracefully()
    try await responder.shutdownGracefully()
  }
}
