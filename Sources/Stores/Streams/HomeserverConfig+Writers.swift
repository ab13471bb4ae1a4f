import ByteText
import Replication
import ServerConfig

extension HomeserverConfig {
  /// Lists the processes that write a stream.
  public func writers(of stream: StreamName) -> [Text] {
    stream == .quarantinedMedia ? streamWriters["quarantined_media_changes"] : streamWriters[stream.rawValue]
  }
}
