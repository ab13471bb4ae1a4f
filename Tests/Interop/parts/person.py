"""A user of a homeserver, and what the server tells that user."""

import json
import secrets
import urllib.error
import urllib.request
from urllib.parse import quote

from parts import keys


class Refused(Exception):
    def __init__(self, status, answer):
        super().__init__(f"{status} {answer}")
        self.status, self.answer = status, answer


class Person:
    def __init__(self, base, name, password="a long password"):
        self.base, self.name, self.password = base, name, password
        self.token = self.user = self.device = None

    def call(self, method, path, body=None, base=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        url = f"{base or self.base}/_matrix/client/v3/{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")) from None

    def register(self):
        body = {"username": self.name, "password": self.password, "auth": {"type": "m.login.dummy"}}
        return self.took(self.call("POST", "register", body))

    def log_in(self):
        """Logs in again by password; answers a second self with a session of its own."""
        again = Person(self.base, self.name, self.password)
        identifier = {"type": "m.id.user", "user": self.name}
        body = {"type": "m.login.password", "identifier": identifier, "password": self.password}
        return again.took(again.call("POST", "login", body))

    def took(self, answer):
        self.token, self.user, self.device = answer["access_token"], answer["user_id"], answer["device_id"]
        return self

    def say(self, room, text):
        body = {"msgtype": "m.text", "body": text}
        path = f"rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}"
        return self.call("PUT", path, body)["event_id"]

    def facts(self):
        """Everything about the user's rooms and data that two servers on one database must tell alike."""
        # Servers may answer an equal initial sync from memory for two minutes; a filter of its own asks anew.
        timeline = {"limit": 50, "not_types": [secrets.token_hex(8)], "unread_thread_notifications": True}
        selection = {"room": {"timeline": timeline, "include_leave": True}}
        sync = self.call("GET", "sync?timeout=0&filter=" + quote(json.dumps(selection)))
        rooms = {room: self.room_facts(room, data) for room, data in sync["rooms"].get("join", {}).items()}
        return {
            "user": self.call("GET", "account/whoami")["user_id"],
            "profile": self.call("GET", f"profile/{quote(self.user)}"),
            "rooms": rooms,
            "invites": sorted(sync["rooms"].get("invite", {})),
            "left rooms": sorted(sync["rooms"].get("leave", {})),
            "messages to devices": [
                (event["type"], event["sender"], event["content"]) for event in sync.get("to_device", {}).get("events", [])
            ],
            "devices": sorted(
                (device["device_id"], device.get("display_name")) for device in self.call("GET", "devices")["devices"]
            ),
            "account data": by_type(sync["account_data"]["events"], leave_out={"m.push_rules"}),
            "push rules": self.call("GET", "pushrules/")["global"],
            **keys.facts(self, sync, sorted({user for facts in rooms.values() for user in facts["members"]})),
            "backup of keys": self.backup(),
            "pushers": self.pushers(),
        }

    def pushers(self):
        """The pushers; the status where a worker of theirs does not serve them."""
        try:
            return self.call("GET", "pushers")["pushers"]
        except Refused as refused:
            return refused.status

    def backup(self):
        """The current version of the key backup with what is in it, and the version before it."""
        try:
            current = self.call("GET", "room_keys/version")
        except Refused as refused:
            return refused.status
        number = current["version"]
        return current, self.call("GET", f"room_keys/keys?version={number}"), self.call("GET", f"room_keys/version/{int(number) - 1}")

    def room_facts(self, room, data):
        path = f"rooms/{quote(room)}"
        receipts = [event["content"] for event in data["ephemeral"]["events"] if event["type"] == "m.receipt"]
        messages = self.call("GET", f"{path}/messages?dir=b&limit=100")["chunk"]
        return {
            "state": sorted(
                (event["type"], event["state_key"], event["sender"], json.dumps(event["content"], sort_keys=True))
                for event in self.call("GET", f"{path}/state")
            ),
            "members": self.call("GET", f"{path}/joined_members")["joined"],
            "aliases": sorted(self.call("GET", f"{path}/aliases")["aliases"]),
            "relations": {event["event_id"]: related(event) for event in messages if related(event)},
            "messages": [
                (event["event_id"], event["type"], event["sender"], json.dumps(event["content"], sort_keys=True))
                for event in messages
            ],
            "timeline": [event["event_id"] for event in data["timeline"]["events"]],
            "receipts": receipts,
            "account data": by_type(data["account_data"]["events"]),
            "unread": data["unread_notifications"],
            "unread in threads": data.get("unread_thread_notifications", {}),
            "summary": data["summary"],
        }


def by_type(events, leave_out=()):
    return {event["type"]: event["content"] for event in events if event["type"] not in leave_out}


def related(event):
    """What a server says of the events that refer to this one."""
    bundle = event.get("unsigned", {}).get("m.relations", {})
    thread, edit = bundle.get("m.thread", {}), bundle.get("m.replace", {})
    parts = [
        ("thread", thread.get("count"), thread.get("latest_event", {}).get("event_id")),
        ("edit", edit.get("event_id")),
        ("references", [reference["event_id"] for reference in bundle.get("m.reference", {}).get("chunk", [])]),
    ]
    return [part for part in parts if any(part[1:])]
