#!/usr/bin/env python3
"""A desktop client as a person uses it: nheko, in a window, by mouse and keyboard.

usage: nheko.py BASE-URL FOLDER            (with a Python that has matrix-nio[e2e])

Alice logs in, lets nheko set up cross-signing and key backup by its own dialog, reads what Bob (matrix-nio) wrote in an encrypted room, and answers.
What is on the screen is read by tesseract; the last screen of each step is kept in FOLDER.

needs: nheko, Xvfb, openbox, xdotool, ImageMagick's import, tesseract, dbus-run-session
"""

import asyncio
import csv
import difflib
import io
import json
import os
import secrets
import signal
import string
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from nio import AsyncClient, AsyncClientConfig, MegolmEvent, RoomMessageText

PASSWORD = "tea with milk"
# Nobody waits longer for a window on a busy machine.
PATIENCE = 120


class Screen:
    """A display of its own: what stands on it, and the mouse and keyboard before it."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        reader, writer = os.pipe()
        with open(folder / "xvfb.log", "wb") as log:
            command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
            self.processes.append(subprocess.Popen(command, pass_fds=[writer], stdout=log, stderr=log))
        os.close(writer)
        with os.fdopen(reader) as answer:
            self.display = f":{answer.readline().strip()}"
        self.environment = {
            **os.environ, "DISPLAY": self.display, "HOME": str(folder), "LANG": "C.UTF-8", "QT_QUICK_BACKEND": "software",
            "XDG_RUNTIME_DIR": str(folder),
        }
        self.start("openbox")

    def start(self, *command):
        with open(self.folder / f"{Path(command[-1]).name}.log", "ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                # A process group of its own, but for the display.
                (os.killpg if process is not self.processes[0] else os.kill)(process.pid, signal.SIGTERM)
                process.wait(20)

    def words(self, name, buttons):
        """(left, top, width, height, word) of each word on the screen, line by line. Light ones on dark buttons need a look of their own."""
        shot, large = self.folder / f"{name}.png", self.folder / "large.png"
        subprocess.run(["import", "-window", "root", shot], env=self.environment, check=True)
        changes = ["-resize", "200%", *(["-threshold", "45%"] if buttons else [])]
        subprocess.run(["convert", shot, *changes, large], check=True)
        read = subprocess.run(
            ["tesseract", large, "-", "--psm", "6" if buttons else "11", "tsv"], capture_output=True, text=True, check=True,
            env={**self.environment, "OMP_THREAD_LIMIT": "1"},
        )
        rows = csv.DictReader(io.StringIO(read.stdout), delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            (*(int(row[side]) // 2 for side in ("left", "top", "width", "height")), row["text"].strip())
            for row in rows if (row["text"] or "").strip()
        ]

    def find(self, text, words):
        """The middle of the last place where the words stand one after the other, allowing for letters that were misread."""
        wanted, found = text.lower(), None
        count = len(wanted.split())
        for start in range(len(words) - count + 1):
            part = words[start : start + count]
            seen = " ".join(word[4].strip(string.punctuation) for word in part).lower()
            if difflib.SequenceMatcher(None, seen, wanted).ratio() > 0.8:
                left, top = part[0][0], part[0][1]
                found = ((left + part[-1][0] + part[-1][2]) // 2, top + part[0][3] // 2)
        return found

    def wait(self, text, name="screen"):
        """Waits until a text is there and has come to rest; answers its place."""
        deadline, before = time.monotonic() + PATIENCE, None
        while True:
            for buttons in (False, True):
                words = self.words(name, buttons)
                place = self.find(text, words)
                if place:
                    break
            if place and place == before:
                return place
            if time.monotonic() > deadline:
                raise AssertionError(f"'{text}' is not on the screen: {' '.join(word[4] for word in words)}")
            before = place

    def click(self, place, below=0):
        # Out of the way again, so that no explanation hides what is there.
        self.tool(
            "mousemove", "--sync", str(place[0]), str(place[1] + below), "click", "1", "sleep", "0.3", "mousemove", "20", "880")

    def type(self, text):
        self.tool("type", "--delay", "40", text)

    def press(self, *keys):
        self.tool("key", *keys)

    def tool(self, *words):
        subprocess.run(["xdotool", *words], env=self.environment, check=True)


def call(base, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}/_matrix/client/v3/{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def register(base, name):
    return call(base, "POST", "register", {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}})


class Bob:
    """The other person, who keeps what was said to him."""

    def __init__(self, base, user, folder):
        store = folder / "bob"
        store.mkdir()
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)
        self.client = AsyncClient(base, user, "BOBPHONE", str(store), config)
        self.heard, self.unread = [], []
        self.client.add_event_callback(self.hear, (RoomMessageText, MegolmEvent))

    async def hear(self, room, event):
        if event.sender != self.client.user_id:
            (self.unread if isinstance(event, MegolmEvent) else self.heard).append(getattr(event, "body", event.event_id))

    async def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"heard {self.heard}, could not read {self.unread}")
            await self.client.sync(timeout=500)
            if self.client.should_query_keys:
                await self.client.keys_query()


async def conversation(base, folder, checks):
    suffix = secrets.token_hex(3)
    alice, bob = register(base, f"alice{suffix}"), register(base, f"bob{suffix}")
    friend = Bob(base, bob["user_id"], folder)
    await friend.client.login(PASSWORD, "phone")
    if friend.client.should_upload_keys:
        await friend.client.keys_upload()
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    body = {"name": "Teahouse", "initial_state": [encryption], "invite": [alice["user_id"]]}
    room = call(base, "POST", "createRoom", body, bob["access_token"])["room_id"]
    call(base, "POST", f"rooms/{room}/join", {}, alice["access_token"])
    call(base, "POST", "logout", {}, alice["access_token"])

    settings = folder / ".config" / "nheko"
    settings.mkdir(parents=True)
    (settings / "nheko.conf").write_text("[General]\nrun_without_secure_secrets_service=true\n")
    screen = Screen(folder)
    try:
        screen.start("dbus-run-session", "--", "nheko")
        log_in(screen, base, alice["user_id"])
        checks.append("logs in and offers to set up encryption")
        place = screen.wait("OK", name="setup")
        screen.click(place)
        screen.wait("your recovery key", name="recovery")
        screen.click(screen.wait("OK", name="recovery"))
        checks.append("shows a recovery key: cross-signing and backup are set up")
        keys = call(base, "POST", "keys/query", {"device_keys": {alice["user_id"]: []}}, bob["access_token"])
        assert alice["user_id"] in keys["master_keys"], keys
        signed = [device["signatures"][alice["user_id"]] for device in keys["device_keys"][alice["user_id"]].values()]
        assert any(len(signatures) == 2 for signatures in signed), signed
        checks.append("the device is signed by the self-signing key")
        await friend.until(lambda: room in friend.client.rooms and alice["user_id"] in friend.client.rooms[room].users)
        await friend.client.room_send(
            room, "m.room.message", {"msgtype": "m.text", "body": "more green tea"}, ignore_unverified_devices=True)
        screen.click(screen.wait("Teahouse", name="rooms"))
        screen.wait("more green tea", name="read")
        checks.append("reads an encrypted message")
        # Whoever opens a room writes at once.
        screen.type("a warm cup")
        screen.press("Return")
        await friend.until(lambda: "a warm cup" in friend.heard)
        screen.wait("a warm cup", name="written")
        checks.append("writes an encrypted message that the other reads")
    finally:
        screen.end()
        await friend.client.close()


def log_in(screen, base, user):
    screen.click(screen.wait("LOGIN", name="welcome"))
    screen.click(screen.wait("Matrix ID", name="login"))
    screen.type(user)
    screen.press("Tab")
    screen.click(screen.wait("Homeserver address", name="login"), below=24)
    screen.press("ctrl+a")
    screen.type(base)
    screen.press("Tab")
    screen.click(screen.wait("Password", name="login"))
    screen.type(PASSWORD)
    screen.click(screen.wait("LOGIN", name="login"))
    screen.wait("Setup Encryption", name="setup")


def main():
    base, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    checks, failed = [], 0
    try:
        asyncio.run(conversation(base, folder, checks))
    except Exception as error:  # shown with what worked before it
        failed = 1
        print(f"  FAIL  after {len(checks)} steps: {type(error).__name__}: {error}")
    for check in checks:
        print(f"  ok    {check}")
    print(f"{len(checks)} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
