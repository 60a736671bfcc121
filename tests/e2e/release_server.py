#!/usr/bin/env python3
"""An HTTPS server of releases: release_server.py PORT DIRECTORY CA CERTIFICATE KEY

ETags, conditional requests, clients' certificates. A line for each request goes to standard output.
A file named "refuse" in the directory holds a status that everything is answered with."""
import hashlib, http.server, os, ssl, sys

port, directory, ca, certificate, key = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", etag=None):
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(body)

    def do_GET(self):
        refuse = os.path.join(directory, "refuse")
        name = os.path.join(directory, os.path.basename(self.path.split("?")[0]))
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path[len("/moved"):])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif os.path.exists(refuse):
            self.answer(int(open(refuse).read()))
        elif not os.path.exists(name):
            self.answer(404)
        else:
            body = open(name, "rb").read()
            etag = '"%s"' % hashlib.sha256(body).hexdigest()
            same = self.headers.get("If-None-Match") == etag
            self.answer(304 if same else 200, body, etag)

    def log_message(self, format, *args):
        print(format % args, flush=True)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # clients that do not like the certificate


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_REQUIRED
server = Server(("127.0.0.1", int(port)), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
