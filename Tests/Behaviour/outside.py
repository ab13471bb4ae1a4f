"""Servers outside of the homeserver that tests put beside it: one that takes mails, and one that plays captchas, codes and identity servers."""

import base64
import email
import email.policy
import http.server
import json
import re
import socketserver
import ssl
import subprocess
import threading
from urllib.parse import parse_qs, urlsplit


class MailTrap:
    """Takes mails and keeps them, on a port of its own. A recipient that begins with `refused` is not taken."""

    def __init__(self):
        self.mails, self.condition = [], threading.Condition()
        trap = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")

            def handle(self):
                self.say("220 trap")
                recipient, sender = None, None
                while line := self.rfile.readline():
                    word = line.strip().upper()
                    if word.startswith(b"EHLO"):
                        self.say("250-trap")
                        self.say("250 AUTH PLAIN")
                    elif word.startswith(b"AUTH PLAIN"):
                        parts = line.split()
                        if len(parts) < 3:
                            self.say("334 ")
                            parts.append(self.rfile.readline().strip())
                        trap.logins.append(base64.b64decode(parts[2]))
                        self.say("235 ok")
                    elif word.startswith(b"MAIL"):
                        sender = re.search(rb"<(.*?)>", line).group(1).decode()
                        self.say("250 ok")
                    elif word.startswith(b"RCPT"):
                        recipient = re.search(rb"<(.*?)>", line).group(1).decode()
                        self.say("550 no" if recipient.startswith("refused") else "250 ok")
                    elif word == b"DATA":
                        self.say("354 go on")
                        lines = []
                        while (line := self.rfile.readline()).rstrip(b"\r\n") != b".":
                            lines.append(line)
                        trap.take(sender, recipient, b"".join(lines))
                        self.say("250 ok")
                    elif word == b"QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        self.logins = []
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, sender, recipient, source):
        message = email.message_from_bytes(source, policy=email.policy.default)
        with self.condition:
            self.mails.append((sender, recipient, message))
            self.condition.notify_all()

    def to(self, recipient):
        """The mails to an address, oldest first."""
        with self.condition:
            return [message for _, to, message in self.mails if to == recipient]

    def link(self, recipient, number=-1):
        """The link of a mail to an address: path and query."""
        text = self.to(recipient)[number].get_body(("plain",)).get_content()
        url = urlsplit(re.search(r"https?://\S+", text).group(0))
        return f"{url.path}?{url.query}"


class Outside:
    """Answers what is asked of captchas, telephones and identity servers; keeps what it was asked."""

    def __init__(self, folder=None):
        self.requests, self.numbers, self.status = [], {}, 200
        outside = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, body):
                length = int(self.headers.get("Content-Length") or 0)
                sent = self.rfile.read(length)
                parts = urlsplit(self.path)
                outside.requests.append((parts.path, sent, dict(self.headers)))
                status, found = outside.answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, sent)
                data = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                self.answer(None)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if folder:
            key, certificate = folder / "outside.key", folder / "outside.crt"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                            "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, query, sent):
        if path == "/large/_matrix/identity/v2/3pid/bind":
            return 200, b"[" + b"1," * (2 << 20) + b"1]"
        if path == "/siteverify":
            fields = {k: v[0] for k, v in parse_qs(sent.decode()).items()}
            return 200, {"success": fields.get("response") == "right" and fields.get("secret") == "captcha-secret"}
        if path.endswith("/validate/msisdn/requestToken"):
            sid = f"sid{len(self.numbers)}"
            self.numbers[sid] = {"body": json.loads(sent), "proved": False}
            return 200, {"sid": sid}
        if path.endswith("/validate/msisdn/submitToken"):
            body = json.loads(sent)
            if body["token"] != "123456" or body["sid"] not in self.numbers:
                return 400, {"errcode": "M_NO_VALID_SESSION", "error": "no"}
            self.numbers[body["sid"]]["proved"] = True
            return 200, {"success": True}
        if path.endswith("/3pid/getValidated3pid"):
            found = self.numbers.get(query.get("sid"))
            if not found or not found["proved"]:
                return 404, {"errcode": "M_NO_VALID_SESSION", "error": "no"}
            number = "49" + found["body"]["phone_number"].lstrip("0")
            return 200, {"medium": "msisdn", "address": number, "validated_at": 1700000000000}
        if path.endswith("/v2/3pid/bind"):
            body = json.loads(sent)
            if body["sid"] == "unproved":
                return 400, {"errcode": "M_SESSION_NOT_VALIDATED", "error": "not yet"}
            return 200, {"medium": "email", "address": "bound@example.org", "mxid": body["mxid"]}
        if path.endswith("/v2/3pid/unbind"):
            return self.status, {}
        return 404, {"errcode": "M_UNRECOGNIZED", "error": "no"}
