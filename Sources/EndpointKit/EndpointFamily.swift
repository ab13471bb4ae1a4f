import ByteText

/// The endpoints that one file declares, under the listener resource that switches them on.
public struct EndpointFamily: Sendable {
  /// The family's name in logs and documentation.
  public let name: Text
  /// The name in `listeners[].resources[].names` that mounts the family.
  public let resource: Text
  /// The operations.
  public let endpoints: [Endpoint]

  /// Groups endpoints.
  ///
  /// - Parameters:
  ///   - name: for humans.
  ///   - resource: a resource name of Synapse's listener configuration: `client`, `federation`, `replication`, `media`, `health`, ….
  ///   - endpoints: what the family serves.
  public init(_ name: Text, resource: Text = "client", _ endpoints: [Endpoint]) {
    self.name = name
    self.resource = resource
    self.endpoints = endpoints
  }
}
