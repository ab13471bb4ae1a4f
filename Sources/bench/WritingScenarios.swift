import NIOCore

extension Scenario {
  /// The requests that change something.
  static let writing: [Scenario] = [
    .load("login", "POST /login with a password") { measurement in
      let members = try measurement.dataset.group("anchor").members
      return .cycling(
        members.map { member in
          let body =
            #"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\#(member.localpart)"},"#
            + #""password":"\#(member.password)"}"#
          return measurement.writer.request("POST", "/_matrix/client/v3/login", body: body)
        })
    },
    .load("register", "POST /register of a new user") { measurement in
      let (writer, tag) = (measurement.writer, measurement.tag)
      return Workload { number in
        let body =
          #"{"username":"new-\#(tag)-\#(number)","password":"password-\#(number)","auth":{"type":"m.login.dummy"}}"#
        return writer.request("POST", "/_matrix/client/v3/register", body: body)
      }
    },
    .load("presence", "PUT /presence/…/status in turn by the members of the large room") { measurement in
      let members = try measurement.dataset.group("large").members
      let writer = measurement.writer
      return Workload { number in
        let member = members[number % members.count]
        let word = (number / members.count).isMultiple(of: 2) ? "online" : "unavailable"
        return writer.request(
          "PUT", "/_matrix/client/v3/presence/\(Path.quoted(member.id))/status", token: member.token,
          body: #"{"presence":"\#(word)","status_msg":"busy with \#(number)"}"#)
      }
    },
    .load("create-room", "POST /createRoom of a public room with a name") { measurement in
      let members = try measurement.dataset.group("anchor").members
      let (writer, tag) = (measurement.writer, measurement.tag)
      return Workload { number in
        writer.request(
          "POST", "/_matrix/client/v3/createRoom", token: members[number % members.count].token,
          body: #"{"preset":"public_chat","name":"room \#(number) of \#(tag)"}"#)
      }
    },
    .load("join", "POST /join of rooms with few members") { measurement in
      let rooms = try measurement.dataset.group("open").rooms
      let members = try measurement.dataset.group("anchor").members
      let writer = measurement.writer
      return Workload { number in
        guard number / rooms.count < members.count else { return nil }
        let member = members[number / rooms.count]
        return writer.request("POST", Path.join(rooms[number % rooms.count]), token: member.token, body: "{}")
      }
    },
    .load("join-large", "POST /join of the large room") { measurement in
      let rooms = try measurement.dataset.group("large").rooms
      let outsiders = measurement.dataset.outsiders
      let writer = measurement.writer
      return Workload { number in
        guard number < outsiders.count, let room = rooms.first else { return nil }
        return writer.request("POST", Path.join(room), token: outsiders[number].token, body: "{}")
      }
    },
    .load("send-one-room", "PUT …/send/m.room.message into one room") { measurement in
      try sends(measurement, group: "anchor", rooms: 1)
    },
    .load("send-many-rooms", "PUT …/send/m.room.message into all ordinary rooms in turn") { measurement in
      try sends(measurement, group: "anchor", rooms: .max)
    },
    .load("send-large-room", "PUT …/send/m.room.message into the large room") { measurement in
      try sends(measurement, group: "large", rooms: 1)
    },
    .load("to-device-1000", "PUT …/sendToDevice to the devices of the members of the large room", connections: 2) {
      try toDevice($0)
    },
  ]

  /// A message for each member of the large room, as long as one that brings the key of a room.
  private static func toDevice(_ measurement: Measurement) throws -> Workload {
    let members = try measurement.dataset.group("large").members
    let (writer, tag) = (measurement.writer, measurement.tag)
    let cipher = String(repeating: "Q2lwaGVy", count: 110)
    let message =
      #"{"algorithm":"m.olm.v1.curve25519-aes-sha2","sender_key":"c","ciphertext":{"k":{"type":0,"body":"\#(cipher)"}}}"#
    let body = "{\"messages\":{" + members.map { "\"\($0.id)\":{\"*\":\(message)}" }.joined(separator: ",") + "}}"
    return Workload { number in
      writer.request(
        "PUT", "/_matrix/client/v3/sendToDevice/m.room.encrypted/\(tag)-\(number)",
        token: members[number % members.count].token, body: body)
    }
  }

  private static func sends(_ measurement: Measurement, group name: String, rooms limit: Int) throws -> Workload {
    let group = try measurement.dataset.group(measurement.options.group ?? name)
    let rooms = Array(group.rooms.prefix(limit))
    let (writer, tag, members) = (measurement.writer, measurement.tag, group.members)
    return Workload { number in
      let body = #"{"msgtype":"m.text","body":"Message \#(number): \#(Words.text(seed: number))"}"#
      return writer.request(
        "PUT", Path.send(rooms[number % rooms.count], transaction: "\(tag)-\(number)"),
        token: members[number % members.count].token, body: body)
    }
  }
}
