import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let userDirectory: [Text: Recipe] = [:]
}
