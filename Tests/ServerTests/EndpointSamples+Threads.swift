import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let threads: [Text: Recipe] = [:]
}
