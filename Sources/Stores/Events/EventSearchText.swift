import MatrixEvents
import MatrixPrimitives

/// The text of an event by which it is found.
struct EventSearchText: Sendable {
  /// The key of the text in the event.
  let key: Text
  /// The text, without NUL characters.
  let value: Text

  /// Reads the text of names, topics and messages; nil for all other events.
  init?(_ event: Event) {
    let content = event.content
    switch event.type {
    case EventType.name: key = "content.name"
    case EventType.topic: key = "content.topic"
    case EventType.message: key = "content.body"
    default: return nil
    }
    let member = key.dropFirst("content.".utf8.count)
    guard let plain = content[member]?.string else { return nil }
    let text = event.type == EventType.topic ? TopicText.rich(content) ?? plain : plain
    value = text.replacing(0, with: " ")
  }
}

/// The plain text of a topic.
public enum TopicText {
  /// Returns the first plain text of the newer form, else that of the older one; nil when there is neither.
  public static func plain(_ content: JSONValue) -> Text? { rich(content) ?? content["topic"]?.string }

  /// Returns the first plain text of the newer form.
  static func rich(_ content: JSONValue) -> Text? {
    guard let texts = content["m.topic"]?["m.text"]?.elements else { return nil }
    for text in texts {
      let type = text["mimetype"]?.string
      if type == nil || type == "text/plain", let body = text["body"]?.string { return body }
    }
    return nil
  }
}
