#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A receiver of webhooks, to begin with: PORT SECRET_FILE. Prints each event once."""
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, SECRET = int(sys.argv[1]), open(sys.argv[2], "rb").read().removesuffix(b"\n").removesuffix(b"\r")
OLDEST_SECS = 300
seen = {}  # ids of events; a real receiver keeps them where they outlive it


def is_signed(header, body):
    parts = dict(p.split("=", 1) for p in (header or "").split(",") if "=" in p)
    sent, signature = parts.get("t", ""), parts.get("v1", "")
    if not sent.isdigit() or abs(time.time() - int(sent)) > OLDEST_SECS:
        return False
    wanted = hmac.new(SECRET, sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = is_signed(self.headers.get("Tidings-Signature"), body)
        if signed:
            events = json.loads(body)
            for event in events if isinstance(events, list) else [events]:
                if event["id"] not in seen:
                    seen[event["id"]] = True
                    print(json.dumps(event), flush=True)
        # Only once they are kept: what is not answered with 2xx comes again.
        self.send_response(204 if signed else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
