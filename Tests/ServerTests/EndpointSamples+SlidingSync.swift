import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let slidingSync: [Text: Recipe] = [:]
}
