import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let slidingSync: [Text: Recipe] = [
    "slidingSync": { server in
      let user = try await server.register()
      _ = try await server.room(of: user)
      return Sample(
        target: "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
        body: #"{"lists":{"all":{"ranges":[[0,9]],"timeline_limit":5,"required_state":[["*","*"]]}}}"#, caller: user)
    }
  ]
}
