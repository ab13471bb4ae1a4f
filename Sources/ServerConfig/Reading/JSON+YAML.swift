import MatrixPrimitives
import YAML

extension JSON {
  /// Converts a value of a configuration file; keys that are no text become their text as written.
  init(_ node: YAMLNode) {
    switch node.content {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .sequence(let elements): self = .array(elements.map { JSON($0) })
    case .mapping(let mapping):
      self = .object(Dictionary(mapping.map { ($0.key.text ?? "", JSON($0.value)) }, uniquingKeysWith: { $1 }))
    }
  }
}
