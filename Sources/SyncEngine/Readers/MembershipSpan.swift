import MatrixPrimitives
import Stores

/// How a user's membership of one room changed between two points.
struct MembershipSpan: Sendable {
  /// The user's membership events between the points, oldest first; at least one.
  let changes: [MembershipChange]
  /// The membership at the first point; nil when there was none.
  let before: Text?

  /// Whether the user was in the room at the first point.
  var wasJoined: Bool { before == "join" }

  /// Whether the user came into the room in between, or changed their profile there.
  var hasJoined: Bool { changes.contains { $0.membership == "join" } }

  /// Whether the user was out of the room for a while, so that a client in which it is joined has to see it anew.
  var wasAway: Bool { !wasJoined || changes.contains { $0.membership != "join" } }

  /// The change that counts at the second point.
  var last: MembershipChange? { changes.last }
}
