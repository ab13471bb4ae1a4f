#!/usr/bin/env python3
"""The templates that come with Synapse, rendered by Jinja2 and by ours with the same values: the results must be the same.

usage: templates.py FOLDER BINARIES          (with a Python that has matrix-synapse 1.163.2)
"""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jinja2
import synapse
from synapse.util.templates import build_jinja_env

from parts.checks import Checks

FOLDER = Path(synapse.__file__).parent / "res" / "templates"


def message(**more):
    return {"event_type": "m.room.message", "msgtype": "m.text", "id": "$e", "ts": 1700000000123, "sender_name": "Al <i>", "sender_avatar_url": None,
            "sender_hash": 3, "is_historical": False, "body_text_plain": "a < b", "body_text_html": "a &lt; b", **more}


def values(kind):
    notifs = [{"link": "https://x/?a=1&b=2", "ts": 1700000000000, "messages": [
        message(), message(sender_avatar_url="mxc://example.org/abc", is_historical=True), message(msgtype="m.emote"), message(msgtype="m.notice"),
        message(msgtype="m.image", image_url="mxc://example.org/pic"), message(msgtype="m.file"), message(event_type="m.room.encrypted")]}]
    rooms = [{"title": "Room & <b>", "hash": 1, "invite": False, "avatar_url": "mxc://example.org/room", "link": "https://x/1", "notifs": notifs},
             {"title": "Invite", "hash": 2, "invite": True, "avatar_url": None, "link": "https://x/2", "notifs": []}]
    reason = {"room_name": "Room", "room_id": "!r", "received_at": 1700000000000, "now": 1700000600000, "delay_before_mail_ms": 600000,
              "last_sent_ts": 1699990000000 if kind else None, "throttle_ms": 90000}
    profile = {"user_id": "@u:x", "display_name": "U <u>" if kind else None, "avatar_url": "mxc://x/y" if kind else None}
    found = {
        "app_name": ["Riot", "Vector", "Element", "Other"][kind], "link": "https://x/?a=1&b='2'", "failure_reason": "<b>no</b>", "session": "s\"",
        "myurl": "/m", "terms_url": "/t", "sitekey": "k", "sid": "1", "token": "t&", "client_secret": "c", "url": "https://x/", "display_name": "D",
        "expiration_ts": 1700000000000, "server_name": "example.org", "user_display_name": "Name", "summary_text": "Sum <i>", "rooms": rooms,
        "reason": reason, "unsubscribe_link": "https://x/u", "redirect_url": "https://y/?q= ü", "display_url": "y", "user_profile": profile,
        "user_attributes": {"localpart": "lp", "display_name": "D" if kind else None, "avatar_url": "https://x/a" if kind else None,
                            "emails": ["a@x", "b@x"] if kind else []},
        "providers": [{"idp_id": "p", "idp_name": "P", "idp_icon": "mxc://x/i" if kind else None, "idp_brand": None}], "user_id": "@user:example.org",
        "idp": {"idp_id": "p", "idp_name": "P", "idp_icon": "mxc://x/i" if kind else None, "idp_brand": None}, "description": "do <it>",
        "new_user": bool(kind), "consent_version": "1", "terms_version": "1", "error_description": "bad <b>", "email": "u@x", "my_url": "m",
    }
    if kind:
        found["error"] = ["", "unauthorised", "provider_unavailable", "else"][kind]
    return found


def main():
    checks = Checks()
    os.environ["TZ"] = "UTC"
    time.tzset()
    config = type("Config", (), {"server": type("Server", (), {"public_baseurl": "https://example.org/", "server_name": "example.org"})})
    environment = build_jinja_env([str(FOLDER)], config)
    asked, wanted = [], []
    for path, kind in itertools.product(sorted(FOLDER.iterdir()), range(4)):
        try:
            result = {"result": environment.get_template(path.name).render(**values(kind))}
        except jinja2.UndefinedError:
            result = {"error": ...}
        asked.append({"name": path.name, "values": values(kind)})
        wanted.append(result)
    lines = "".join(json.dumps(request) + "\n" for request in asked)
    command = [Path(sys.argv[2]) / "template_probe", FOLDER]
    found = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    checks.that("every template is answered", len(found) == len(wanted), len(found))
    for request, answer, right in zip(asked, map(json.loads, found), wanted):
        same = "error" in answer if "error" in right else answer == right
        checks.that(f"{request['name']} for {request['values']['app_name']}", same, (answer, right))
    print(f"{sum('result' in right for right in wanted)} rendered, {sum('error' in right for right in wanted)} refused by both")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
