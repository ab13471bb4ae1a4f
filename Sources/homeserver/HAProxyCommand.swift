import ArgumentParser
import ByteText
import EndpointKit

/// The command that prints an HAProxy configuration for a cluster.
struct HAProxyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "haproxy",
    abstract: "Prints an HAProxy configuration that spreads requests over the processes of a cluster.",
    discussion: """
      The output belongs behind the sections global and defaults, for example as a second file (haproxy -f haproxy.cfg \
      -f matrix.cfg). HAProxy 2.6 or later reads it.
      """)

  @OptionGroup var processes: ProxyOptions

  @Option(
    name: [.customShort("b"), .long],
    help: "What HAProxy listens on, such as ':80' or ':8448 ssl crt /etc/haproxy/matrix.pem'. May be repeated.")
  var bind: [String] = [":80"]

  func run() async throws {
    do {
      let (plan, maximumBodyBytes) = try await processes.plan()
      print(
        HAProxyConfiguration(plan: plan, bind: bind.map { Text($0) }, maximumBodyBytes: maximumBodyBytes).text,
        terminator: "")
    } catch {
      throw StartFailure.report(error)
    }
  }
}
