import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let encryption: [Text: Recipe] = [:]
}
