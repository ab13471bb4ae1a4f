import ArgumentParser
import ByteText
import EndpointKit

/// The command that prints an nginx configuration for a cluster.
struct NginxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nginx",
    abstract: "Prints an nginx configuration that spreads requests over the processes of a cluster.",
    discussion: """
      The output belongs into nginx' http block, for example as /etc/nginx/conf.d/matrix.conf. TLS is added there, or by \
      another server in front.
      """)

  @OptionGroup var processes: ProxyOptions

  @Option(
    name: [.customShort("l"), .long], help: "What nginx listens on, such as 8448 or 127.0.0.1:8008. May be repeated.")
  var listen: [String] = ["80"]

  @Option(help: "Where nginx logs requests, without access tokens; off to log none.")
  var accessLog = "/var/log/nginx/access.log"

  func run() async throws {
    do {
      let (plan, maximumBodyBytes) = try await processes.plan()
      let configuration = NginxConfiguration(
        plan: plan, listen: listen.map { Text($0) }, maximumBodyBytes: maximumBodyBytes,
        accessLog: accessLog == "off" ? nil : Text(accessLog))
      print(configuration.text, terminator: "")
    } catch {
      throw StartFailure.report(error)
    }
  }
}
