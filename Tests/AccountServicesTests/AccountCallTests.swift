import MatrixPrimitives
import Replication
import Stores
import TestSupport
import Testing

@testable import AccountServices

/// What Synapse's processes send and expect, byte by byte.
@Suite("Calls about accounts")
struct AccountCallTests {
  private let alice = UserID(unchecked: "@a:hs")

  @Test("A session is opened by the main process")
  func sessions() throws {
    var request = SessionRequest(userID: alice, deviceID: nil, displayName: "Phone", wantsRefreshToken: true)
    let call = try CallForm(request)
    #expect(call.path == "device_check_registered/@a:hs")
    #expect(
      call.body
        == #"{"device_id":null,"initial_display_name":"Phone","is_guest":false,"is_appservice_ghost":false,"#
        + #""should_issue_refresh_token":true,"auth_provider_id":null,"auth_provider_session_id":null}"#)
    request.deviceID = "D"
    request.authProvider = AuthProviderSession(providerID: "p", sessionID: "s")
    request.registrationSession = "r"
    let full = try CallForm(request)
    #expect(try CallForm(try full.read()).body == full.body)
    #expect(
      full.body.hasSuffix(
        #""auth_provider_id":"p","auth_provider_session_id":"s","registration_session":"r"}"#))
    #expect(request.destination == .main && SessionRequest.isCached && SessionRequest.isServedByMainOnly)
    let short = try CallForm<SessionRequest>.read(["@a:hs"], "{}")
    #expect(short.deviceID == nil && !short.wantsRefreshToken && !short.isGuest && short.authProvider == nil)
  }

  @Test("The answer is the new session")
  func newSessions() throws {
    let session = NewSession(deviceID: "D", accessToken: "t", validUntilMilliseconds: nil, refreshToken: "r")
    #expect(session.form == #"{"device_id":"D","access_token":"t","valid_until_ms":null,"refresh_token":"r"}"#)
    let read = try NewSession(answer: try JSONValue.parse(session.form))
    #expect(read.form == session.form)
    #expect(throws: MatrixError.self) { try NewSession(answer: try JSONValue.parse(#"{"device_id":"D"}"#)) }
  }

  @Test("Writers of device lists are told of changes")
  func devices() throws {
    let change = try CallForm(DevicesChanged(userID: alice, deviceIDs: ["D", "E"]))
    #expect(change.path == "notify_device_update/@a:hs")
    #expect(change.body == #"{"device_ids":["D","E"]}"#)
    #expect(try change.read().deviceIDs == ["D", "E"])
    let signatures = try CallForm(SignaturesChanged(userID: alice, others: [UserID(unchecked: "@b:hs")]))
    #expect(signatures.path == "notify_user_signature_update/@a:hs")
    #expect(signatures.body == #"{"user_ids":["@b:hs"]}"#)
    #expect(try signatures.read().others == [UserID(unchecked: "@b:hs")])
    for body in ["{}", #"{"device_ids":[1],"user_ids":["b"]}"#] {
      #expect(throws: MatrixError.self) { try CallForm<DevicesChanged>.read(["@a:hs"], body) }
      #expect(throws: MatrixError.self) { try CallForm<SignaturesChanged>.read(["@a:hs"], body) }
    }
    #expect(DevicesChanged(userID: alice, deviceIDs: []).destination == .writer(of: .deviceLists))
    let waiting = try CallForm(DeviceChangesWaiting())
    #expect(waiting.path == "handle_new_device_update" && waiting.body == "{}")
    _ = try waiting.read()
    #expect(DeviceChangesWaiting().destination == .firstWriter(of: .deviceLists))
  }

  @Test("The writer of pushers is told which go")
  func pushers() throws {
    let one = try CallForm(PusherRemoved(userID: alice, appID: "app", pushKey: "key"))
    #expect(one.path == "remove_pusher/@a:hs")
    #expect(one.body == #"{"app_id":"app","pushkey":"key"}"#)
    #expect(try CallForm(try one.read()).body == one.body)
    let all = try CallForm(AllPushersRemoved(userID: alice))
    #expect(all.path == "delete_all_pushers_for_user/@a:hs" && all.body == "{}")
    #expect(try all.read().userID == alice)
    for body in ["{}", #"{"app_id":1,"pushkey":"k"}"#] {
      #expect(throws: MatrixError.self) { try CallForm<PusherRemoved>.read(["@a:hs"], body) }
    }
    #expect(PusherRemoved(userID: alice, appID: "", pushKey: "").destination == .writer(of: .pushers))
  }

  @Test("The main process hears of new and closed accounts")
  func registrations() throws {
    let closed = try CallForm(AccountDeactivated(userID: alice, isByAdministrator: true))
    #expect(closed.path == "notify_account_deactivated/@a:hs")
    #expect(closed.body == #"{"by_admin":true}"#)
    #expect(try closed.read().isByAdministrator)
    let new = try CallForm(AccountRegistered(userID: "@a:hs", stages: ["m.login.dummy": true], accessToken: nil))
    #expect(new.path == "post_register/@a:hs")
    #expect(new.body == #"{"auth_result":{"m.login.dummy":true},"access_token":null}"#)
    #expect(try CallForm(try new.read()).body == new.body)
    #expect(AccountDeactivated.isCached && AccountDeactivated.isServedByMainOnly)
    #expect(AccountRegistered.isCached && AccountRegistered.isServedByMainOnly)
  }

  @Test("Profiles are set by the first writer of events")
  func profiles() throws {
    let set = try CallForm(
      SetProfileField(
        userID: alice, requester: alice, field: "displayname", value: "A", isByAdministrator: false, reachesRooms: true)
    )
    #expect(set.path == "profile_set_field/@a:hs")
    #expect(
      set.body
        == #"{"requester":"@a:hs","field_name":"displayname","new_value":"A","by_admin":false,"propagate":true}"#)
    #expect(try CallForm(try set.read()).body == set.body)
    let delete = try CallForm(
      DeleteProfileField(userID: alice, requester: alice, field: "m.tz", isByAdministrator: true))
    #expect(delete.path == "profile_delete_field/@a:hs")
    #expect(delete.body == #"{"requester":"@a:hs","field_name":"m.tz","by_admin":true}"#)
    #expect(try CallForm(try delete.read()).body == delete.body)
    for body in [#"{"field_name":"x","requester":"@a:hs"}"#, #"{"field_name":"x","new_value":1,"requester":"a"}"#] {
      #expect(throws: MatrixError.self) { try CallForm<SetProfileField>.read(["@a:hs"], body) }
    }
    #expect(try delete.read().destination == .firstWriter(of: .events))
  }
}
