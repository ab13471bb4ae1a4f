import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let keyBackup: [Text: Recipe] = [:]
}
