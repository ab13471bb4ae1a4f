#!/usr/bin/env python3
"""matrix-commander, a program for scripts, logs in, sends and reads in an encrypted room.

usage: commander.py BASE_URL

Each check prints a line; the last line is `N passed, M failed`. The exit status is 1 when a check failed.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from chat import PASSWORD, Checks
from encryption import Device, everybody
from nio import AsyncClient

PROGRAM = Path(sys.executable).parent / "matrix-commander"


class Commander:
    """One user of the program."""

    def __init__(self, folder):
        self.files = ["--credentials", str(folder / "credentials.json"), "--store", str(folder / "store")]

    async def run(self, *words):
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM), *words, *self.files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            output, errors = await asyncio.wait_for(process.communicate(), 120)
        except TimeoutError:
            process.kill()
            return -1, "", "took too long"
        return process.returncode, output.decode(), errors.decode()


async def main():
    base_url, checks, suffix = sys.argv[1].rstrip("/"), Checks(), secrets.token_hex(3)
    names = [f"person{suffix}", f"script{suffix}"]
    for name in names:
        registering = AsyncClient(base_url, name)
        checks.answered(f"{name} registers", await registering.register(name, PASSWORD, "unused"))
        user = registering.user_id
        await registering.close()
    folder = Path(tempfile.mkdtemp())
    person, commander = Device(base_url, names[0], folder), Commander(folder)
    await person.log_in("phone")
    initial = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
    # The program takes no room IDs without a server's name, which version 12 brought.
    room = (await person.client.room_create(room_version="11", invite=[user], initial_state=initial)).room_id
    status, _, errors = await commander.run(
        "--login", "password", "--homeserver", base_url, "--user-login", user, "--password", PASSWORD, "--device", "script",
        "--room-default", room)
    checks.that("it logs in", status == 0, errors[:700])
    status, _, errors = await commander.run("--room-join", room)
    checks.that("it joins", status == 0, errors[:700])
    await everybody([person], 3)
    status, _, errors = await commander.run("--message", "from a script")
    checks.that("it sends", status == 0, errors[:700])
    await everybody([person], 3)
    texts = [text for text, encrypted in person.messages.values() if encrypted]
    checks.that("and is read", texts == ["from a script"], person.messages)
    await person.say(room, "to a script")
    status, output, errors = await commander.run("--listen", "once", "--listen-self")
    checks.that("it reads", status == 0 and "to a script" in output, (output[-500:], errors[:700]))
    status, output, errors = await commander.run("--devices")
    checks.that("it lists its devices", status == 0 and "script" in output, (output[-500:], errors[:700]))
    status, _, errors = await commander.run("--logout", "me")
    checks.that("it logs out", status == 0, errors[:700])
    await person.client.close()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
