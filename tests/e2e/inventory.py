"""An inventory to be asked: python3 inventory.py PORT [CERTIFICATE KEY]. What it answers is the first part of the
path; /count says how many requests of a part there were."""

import collections
import http.server
import json
import ssl
import sys
import threading
import time

counts = collections.Counter()
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body, kind="application/json", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        part, _, mac = self.path.strip("/").partition("/")
        with lock:
            counts[part] += 1
        host = json.dumps({"role": "compute", "name": "n" + mac[-2:]}).encode()
        if part == "count":
            self.reply(200, json.dumps(counts).encode())
        elif part == "slow":
            time.sleep(10)
            self.reply(200, host)
        elif part in ("lag", "dhcp"):
            time.sleep(1)
            self.reply(200, host)
        elif part == "garbage":
            self.reply(200, b"{ not json")
        elif part == "nonsense":
            self.reply(200, b'{"role":["a"],"name":7}')
        elif part == "500":
            self.reply(500, b"{}")
        elif part == "404":
            self.reply(404, b"{}")
        elif part == "half":
            self.reply(200, host[:10], length=len(host))
            self.close_connection = True
        else:
            self.reply(200, host)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1000


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
