"""Those who ask: each answer is recorded under a label."""

import json
import time
import urllib.error
import urllib.request
from urllib.parse import quote

CLIENT = "/_matrix/client/v3/"


class Caller:
    """A user, or nobody, who asks and has the answers recorded."""

    def __init__(self, recorder, name=None):
        self.recorder, self.name, self.token = recorder, name, None
        self.user = f"@{name}:localhost" if name else None

    def ask(self, label, method, path, body=None, raw=None, record=True):
        """Answers the body; an error's too."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        url = self.recorder.base + (path if path.startswith("/") else CLIENT + path)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            answered = json.loads(text)
        except ValueError:
            answered = text.decode(errors="replace")
        if record:
            self.recorder.note(f"{label} ({method} {path.split('?')[0]})" if label else f"{method} {path}", status, answered)
        return answered

    def get(self, label, path, **more):
        return self.ask(label, "GET", path, **more)

    def put(self, label, path, body, **more):
        return self.ask(label, "PUT", path, body, **more)

    def post(self, label, path, body, **more):
        return self.ask(label, "POST", path, body, **more)

    def delete(self, label, path, body=None, **more):
        return self.ask(label, "DELETE", path, body, **more)

    def sync(self, label, since=None, filter=None, **more):
        query = "timeout=0" + (f"&since={quote(since)}" if since else "")
        query += f"&filter={quote(json.dumps(filter))}" if filter else ""
        return self.get(label, f"sync?{query}", **more)


def person(recorder, name):
    caller = Caller(recorder, name)
    body = {"username": name, "password": "a long password", "device_id": f"{name.upper()}PHONE", "auth": {"type": "m.login.dummy"}}
    caller.token = caller.post("registers", "register", body)["access_token"]
    return caller
