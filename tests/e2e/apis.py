"""APIs that the examples ask: python3 apis.py PORT. NetBox's REST API for a few devices, with answers of the shape
that NetBox 4.1 gives, and a Pixiecore API. `POST /mode/broken` and `/mode/well` say how it does; `GET /count` how often
each path was asked."""

import collections
import http.server
import json
import sys
import threading
import urllib.parse

PORT = int(sys.argv[1])
TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAGE = 1  # interfaces on a page: one, so that there are always more
lock = threading.Lock()
counts = collections.Counter()
mode = "well"


def nested(kind, number, name, slug=None):
    """As NetBox shows one thing in another."""
    url = f"http://netbox.internal/api/{kind}/{number}/"
    return {"id": number, "url": url, "display": name, "name": name, **({"slug": slug} if slug else {}), "description": ""}


def device(number, status, platform=True):
    name = f"n{number}"
    return {
        **nested("dcim/devices", number, name),
        "device_type": {**nested("dcim/device-types", 1, "PowerEdge R640", "r640"),
                        "manufacturer": nested("dcim/manufacturers", 1, "Dell", "dell"), "model": "PowerEdge R640"},
        "role": nested("dcim/device-roles", 2, "Worker", "worker"),
        "tenant": None,
        "platform": nested("dcim/platforms", 3, "Debian 12", "debian-12") if platform else None,
        "serial": "R5QNN7%d" % number, "asset_tag": None,
        "site": nested("dcim/sites", 1, "Lab", "lab"), "location": None, "rack": None, "position": None, "face": None,
        "status": {"value": status, "label": status.capitalize()},
        "primary_ip": None, "primary_ip4": None, "primary_ip6": None, "oob_ip": None, "cluster": None,
        "config_context": {"ntp_servers": ["10.0.0.1"]}, "local_context_data": None, "tags": [],
        "custom_fields": {"kernel_args": "console=ttyS1", "owner": None},
        "created": "2026-01-01T00:00:00Z", "last_updated": "2026-11-26T14:00:00.500000Z", "interface_count": 2,
    }


devices = {7: device(7, "staged"), 8: device(8, "active"), 9: device(9, "decommissioning"),
           10: device(10, "staged", platform=False)}
interfaces = [(mac, number, name) for mac, number, names in (
    ("52:54:00:00:00:07", 7, ["eth0", "bond0"]), ("52:54:00:00:00:08", 8, ["eth0"]),
    ("52:54:00:00:00:09", 9, ["eth0"]), ("52:54:00:00:00:0A", 10, ["eth0"]),
    ("52:54:00:00:00:0B", 7, ["eth1"]), ("52:54:00:00:00:0B", 8, ["eth1"])) for name in names]

# A Pixiecore API's answers; not all servers of this kind say that theirs is JSON.
machines = {
    "52:54:01:00:00:01": {"kernel": "/static/vmlinuz", "initrd": ["initrd.img"], "message": "hello",
                          "cmdline": 'quiet seed={{ URL "/seed/n1" }}'},
    "52:54:01:00:00:02": {"ipxe-script": "#!ipxe\necho from the API\n"},
    "52:54:01:00:00:03": {"kernel": "file:///etc/shadow"},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value, kind="application/json"):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list_interfaces(self, query):
        mac = query.get("mac_address", [""])[0].upper()
        offset = int(query.get("offset", ["0"])[0])
        found = [i for i in interfaces if i[0] == mac]
        more = None
        if offset + PAGE < len(found):
            more = f"https://netbox.internal/api/dcim/interfaces/?limit={PAGE}&mac_address={mac}&offset={offset + PAGE}"
        self.reply(200, {"count": len(found), "next": more, "previous": None, "results": [
            {"id": 100 + offset + i, "display": name, "name": name, "mac_address": mac, "mgmt_only": False,
             "enabled": True, "type": {"value": "1000base-t", "label": "1000BASE-T (1GE)"},
             "device": nested("dcim/devices", number, f"n{number}")}
            for i, (mac, number, name) in enumerate(found[offset:offset + PAGE])]})

    def netbox(self, path, query):
        if self.headers.get("Authorization") != "Token " + TOKEN:
            return self.reply(403, {"detail": "Invalid token"})
        if path == "/api/dcim/interfaces/" and self.command == "GET":
            return self.list_interfaces(query)
        number = path.removeprefix("/api/dcim/devices/").rstrip("/")
        found = devices.get(int(number)) if number.isdigit() else None
        if not found:
            return self.reply(404, {"detail": "No Device matches the given query."})
        if self.command == "PATCH":
            changes = json.loads(self.body)
            found["status"] = {"value": changes["status"], "label": changes["status"].capitalize()}
            found["last_updated"] = "2026-11-26T15:00:00.500000Z"
        return self.reply(200, found)

    def answer(self):
        global mode
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(address.path)
        if path.startswith("/mode/"):
            mode = path.removeprefix("/mode/")
            return self.reply(200, mode)
        if path == "/count":
            return self.reply(200, counts)
        with lock:
            counts[path] += 1
        if mode == "broken":
            return self.reply(500, {"detail": "broken"})
        if path.startswith("/api/dcim/"):
            return self.netbox(path, urllib.parse.parse_qs(address.query))
        found = machines.get(path.removeprefix("/v1/boot/"))
        return self.reply(200 if found else 404, found, "text/plain; charset=utf-8")

    do_GET = do_PATCH = do_POST = answer

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer.request_queue_size = 1000
http.server.ThreadingHTTPServer.daemon_threads = True
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
