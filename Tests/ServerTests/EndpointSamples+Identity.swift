import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let identity: [Text: Recipe] = [:]
}
