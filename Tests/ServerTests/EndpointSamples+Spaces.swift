import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let spaces: [Text: Recipe] = [:]
}
