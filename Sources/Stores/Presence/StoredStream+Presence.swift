import MatrixPrimitives

extension StoredStream {
  /// Presence updates; missed ones are asked from the writer, so the service that keeps presence registers the source.
  public static let presence = StoredStream(
    writers: .presence, storedName: "presence_stream", sequence: "presence_stream_sequence",
    tables: tables("presence_stream"))
}
