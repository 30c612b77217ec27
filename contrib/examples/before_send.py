#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server for before_send, to begin with: PORT SECRET_FILE. Masks "secret", refuses links to example.com, allows the rest."""
import hashlib
import hmac
import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, SECRET = int(sys.argv[1]), open(sys.argv[2], "rb").read().removesuffix(b"\n").removesuffix(b"\r")
OLDEST_SECS = 300


def is_signed(header, body):
    parts = dict(p.split("=", 1) for p in (header or "").split(",") if "=" in p)
    sent, signature = parts.get("t", ""), parts.get("v1", "")
    if not sent.isdigit() or abs(time.time() - int(sent)) > OLDEST_SECS:
        return False
    wanted = hmac.new(SECRET, sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode())


def decide(question):
    """The rules: be quick, for the sender waits. question["edit"] is true where a message is edited."""
    content = question["message"]["content"] or ""  # a picture may have none
    if re.search(r"\bexample\.com\b", content, re.I):
        return {"action": "refuse", "detail": "links to example.com are not allowed"}
    masked = re.sub("secret", "******", content, flags=re.I)
    return {"action": "allow"} if masked == content else {"action": "replace", "content": masked}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = is_signed(self.headers.get("Tidings-Signature"), body)
        answer = json.dumps(decide(json.loads(body))).encode() if signed else b""
        self.send_response(200 if signed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
