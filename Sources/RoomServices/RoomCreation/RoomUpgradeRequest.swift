import MatrixEvents
import MatrixPrimitives

/// The body of `/upgrade`, checked.
public struct RoomUpgradeRequest: Sendable {
  let version: RoomVersion
  /// The creators of the new room beside who upgrades it; nil in versions whose creators have no power of their own.
  let additionalCreators: [UserID]?

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400: `M_MISSING_PARAM`, `M_UNSUPPORTED_ROOM_VERSION`, `M_FORBIDDEN` for creators that are no users (as
  ///   Synapse has it).
  public init(_ body: JSONValue) throws(MatrixError) {
    guard let name = body["new_version"] else { throw .missingParam("Missing params: ['new_version']") }
    guard let version = name.string.flatMap(RoomVersion.named) else {
      throw .unsupportedRoomVersion("Your homeserver does not support this room version")
    }
    self.version = version
    guard version.hasCreatorPower, let given = body["additional_creators"], !given.isNull else {
      additionalCreators = nil
      return
    }
    guard let list = given.elements else {
      throw MatrixError(.forbidden, "additional_creators must be an array", status: 400)
    }
    var creators: [UserID] = []
    for element in list {
      guard creators.count < RoomCreationRequest.mostEntries else {
        throw .tooLarge("'additional_creators' has more than \(RoomCreationRequest.mostEntries) entries")
      }
      guard let user = element.string.flatMap({ UserID($0) }) else {
        throw MatrixError(.forbidden, "entry in additional_creators is not a valid user ID", status: 400)
      }
      creators.append(user)
    }
    additionalCreators = creators
  }
}
