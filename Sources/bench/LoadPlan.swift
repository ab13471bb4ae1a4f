/// The way in which a round loads the server.
struct LoadPlan: Sendable {
  /// Connections that are open at the same time, each with at most one request.
  var connections: Int
  /// The number of requests a second that are due whatever the server does (open loop); nil sends the next as soon as
  /// one is answered.
  var rate: Double?
  /// Seconds of load before counting begins.
  var warmUp: Double
  /// Seconds that are counted.
  var seconds: Double
  /// A closed-loop round continues until this many were answered, for at most five times its seconds; for a single answer it
  /// waits a minute.
  var minimumAnswers = 20
}
