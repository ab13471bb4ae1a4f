import MatrixPrimitives
import Testing

@Suite struct ErrorCodeTests {
  @Test(arguments: [
    (MatrixError.forbidden("m"), 403, "M_FORBIDDEN"), (MatrixError(.userSuspended, "m"), 403, "M_USER_SUSPENDED"),
    (MatrixError.methodNotAllowed(), 405, "M_UNRECOGNIZED"), (MatrixError.tooLarge("m"), 413, "M_TOO_LARGE"),
    (MatrixError(.tooLarge, "m", status: 400), 400, "M_TOO_LARGE"),
    (MatrixError.unknown("m", status: 500), 500, "M_UNKNOWN"),
    (MatrixError.awaitingApproval("m"), 403, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL"),
    (MatrixError(.notYetUploaded, "m"), 504, "M_NOT_YET_UPLOADED"),
  ])
  func aCodeGivesTheStatusUnlessAnotherIsNamed(_ error: MatrixError, _ status: Int, _ spelling: Text) {
    #expect(error.status == status)
    #expect(error.errcode == spelling)
  }

  @Test func lockedAccountsKeepTheirData() {
    #expect(MatrixError.userLocked().status == 401)
    #expect(MatrixError.userLocked().extras == ["soft_logout": true])
  }

  @Test func receivedCodesAreTheSameAsOwnOnes() {
    let received = ErrorCode(rawValue: "M_USER_IN_USE")
    #expect(received == .userInUse && received.hashValue == ErrorCode.userInUse.hashValue)
    #expect(received != .forbidden)
    #expect(MatrixError(received, "m", status: 418) == MatrixError(.userInUse, "m", status: 418))
  }
}
