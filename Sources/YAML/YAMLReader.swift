import ByteText
import CLibYAML

/// A wrapper round libyaml's parser that hands out its events one by one and turns its failures into `YAMLError`.
///
/// Events rather than libyaml's documents, because a document no longer distinguishes `!!str 12` from `12`.
final class YAMLReader {
  /// A copy of what is needed of an event, so that libyaml's memory is released at once.
  struct Token {
    enum Kind {
      case documentStart, documentEnd, streamEnd, sequenceEnd, mappingEnd
      case alias(Text)
      case scalar(text: Text, isPlain: Bool)
      case sequenceStart, mappingStart
      case other
    }
    let kind: Kind
    let anchor: Text?
    let tag: Text?
    let mark: YAMLMark
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let file: Text

  init(_ bytes: [UInt8], file: Text) throws(YAMLError) {
    self.file = file
    parser = .allocate(capacity: 1)
    input = .allocate(capacity: max(bytes.count, 1))
    _ = input.initialize(from: bytes)
    guard yaml_parser_initialize(parser) == 1 else {
      // Zeroed, so that deinit's delete finds nothing to free.
      UnsafeMutableRawPointer(parser).initializeMemory(
        as: UInt8.self, repeating: 0, count: MemoryLayout<yaml_parser_t>.size)
      let mark = YAMLMark(file: file, line: 1, column: 1)
      throw YAMLError(code: .outOfMemory, message: "not enough memory to read YAML", mark: mark)
    }
    yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  func next() throws(YAMLError) -> Token {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
    defer { yaml_event_delete(&event) }
    return token(event)
  }

  private func token(_ event: yaml_event_t) -> Token {
    let mark = place(event.start_mark)
    func make(_ kind: Token.Kind, _ anchor: UnsafePointer<UInt8>? = nil, _ tag: UnsafePointer<UInt8>? = nil) -> Token {
      Token(
        kind: kind, anchor: anchor.map { Text(cString: UnsafePointer($0)) },
        tag: tag.map { Text(cString: UnsafePointer($0)) }, mark: mark)
    }
    switch event.type {
    case YAML_DOCUMENT_START_EVENT: return make(.documentStart)
    case YAML_DOCUMENT_END_EVENT: return make(.documentEnd)
    case YAML_STREAM_END_EVENT: return make(.streamEnd)
    case YAML_SEQUENCE_END_EVENT: return make(.sequenceEnd)
    case YAML_MAPPING_END_EVENT: return make(.mappingEnd)
    case YAML_ALIAS_EVENT:
      return make(.alias(event.data.alias.anchor.map { Text(cString: UnsafePointer($0)) } ?? ""))
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = Text(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      return make(.scalar(text: text, isPlain: isPlain), scalar.anchor, scalar.tag)
    case YAML_SEQUENCE_START_EVENT:
      return make(.sequenceStart, event.data.sequence_start.anchor, event.data.sequence_start.tag)
    case YAML_MAPPING_START_EVENT:
      return make(.mappingStart, event.data.mapping_start.anchor, event.data.mapping_start.tag)
    default: return make(.other)
    }
  }

  private func failure() -> YAMLError {
    let state = parser.pointee
    var message = state.problem.map { Text(cString: UnsafePointer($0)) } ?? "not YAML"
    if let context = state.context { message += " (\(Text(cString: context)))" }
    switch state.error {
    case YAML_MEMORY_ERROR:
      return YAMLError(code: .outOfMemory, message: "not enough memory to read YAML", mark: place(state.mark))
    case YAML_READER_ERROR:
      // A bad byte is reported by its offset only.
      return YAMLError(code: .syntax, message: message, mark: place(offset: Int(clamping: state.problem_offset)))
    default:
      return YAMLError(code: .syntax, message: message, mark: place(state.problem_mark))
    }
  }

  private func place(_ mark: yaml_mark_t) -> YAMLMark {
    YAMLMark(file: file, line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
  }

  private func place(offset: Int) -> YAMLMark {
    let before = input.prefix(max(0, min(offset, input.count)))
    let line = before.count { $0 == UInt8(ascii: "\n") }
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let column = before[start...].count { $0 & 0xC0 != 0x80 }
    return YAMLMark(file: file, line: line + 1, column: column + 1)
  }
}
