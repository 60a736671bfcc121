"""The servers that are measured: moonboot, and what a user would pick instead."""
import glob
import os
import re
import shutil
import subprocess

from lab import SERVER, get, load

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
TOOLS = os.path.join(BUILD, "bench")
PEERS = os.path.join(TOOLS, "peers")
PEER_PACKAGES = ("nginx", "tftpd-hpa", "atftpd")
IN_TFTPD = PEERS + "/tftpd-hpa/usr/sbin/in.tftpd"
ATFTPD = PEERS + "/atftpd/usr/sbin/atftpd"
NGINX = PEERS + "/nginx/usr/sbin/nginx"

PROFILE = """
profile "linux" {
  kernel = "vmlinuz",
  initrd = { "initrd.img" },
  args   = { "console=ttyS1,115200n8", "ip=dhcp", "hostname={{serial}}" },
}
"""
RULES = """
for i = 1, %d do
  rule ("host " .. i) { match = { mac = ("5254%%08x"):format(i) }, boot = "linux", args = { "host=" .. i } }
end
"""
REST = 'rule "all of them" { match = { mac = prefix "52:54:00" }, boot = "linux" }\n'
HOSTS = 'rule "hosts" { boot = inventory "hosts.csv" }\n'


def mac(number):
    return "52:54:00:%02x:%02x:%02x" % (number >> 16 & 255, number >> 8 & 255, number & 255)


def ipxe_path(number):
    return (f"/ipxe?buildarch=x86_64&mac={mac(number).replace(':', '-')}&platform=efi"
            f"&uuid=4c4c4544-0052-3510-8051-b4c0{number:08x}&serial=S{number:07d}"
            f"&manufacturer=Dell%20Inc.&product=PowerEdge%20R640&ip=10.99.128.1")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def fill(path, size):
    """A file of that many bytes, no two blocks alike."""
    if not os.path.exists(path) or os.path.getsize(path) != size:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            while size > 0:
                part = os.urandom(min(size, 1 << 20))
                size -= file.write(part)
    return path


class World:
    """The lab, and a directory for sites, files and logs. `files` is what all servers serve."""

    def __init__(self, lab, directory):
        self.lab, self.directory = lab, directory
        self.files = os.path.join(directory, "files")
        os.chmod(directory, 0o755)
        os.makedirs(self.files)
        fill(os.path.join(self.files, "initrd.img"), 262144)
        shutil.copy("/usr/lib/ipxe/snponly.efi", self.files)

    def path(self, name):
        return os.path.join(self.directory, name)

    def tool(self, name, *argv):
        return [os.path.join(TOOLS, name), *(str(arg) for arg in argv)]

    # --- moonboot ---------------------------------------------------------------------------

    def site(self, name, policy, hosts=0, log="warn"):
        """Writes a site; its directory."""
        site = self.path("moonboot-" + name)
        write(os.path.join(site, "policy.lua"), PROFILE + policy)
        write(os.path.join(site, "site.yaml"), f"""policy: policy.lua
interfaces: [{self.lab.server_link}]
user: nobody
http: {{ listen: ["0.0.0.0:8080"], assets: {self.files} }}
tftp: {{ root: {self.files} }}
log: {{ level: {log} }}
limits: {{ memory_mb: 1024, requests_per_client: 0 }}
""")
        if hosts:
            with open(os.path.join(site, "hosts.csv"), "w", encoding="utf-8") as file:
                file.write("mac,boot,args,rack\n")
                for i in range(1, hosts + 1):
                    file.write(f"{mac(i)},linux,host=n{i},{i % 40:02d}\n")
        return site

    def moonboot(self, site):
        return self.lab.start([os.path.join(BUILD, "moonboot"), "serve", "-c",
                               os.path.join(site, "site.yaml")],
                              lambda: get("/readyz") is not None, self.path("moonboot.log"))

    # --- peers ------------------------------------------------------------------------------

    def peer(self, argv, ready):
        libraries = ":".join(glob.glob(PEERS + "/*/usr/lib/*-linux-gnu") + glob.glob(PEERS + "/*/lib/*-linux-gnu"))
        return self.lab.start(argv, ready, self.path("peers.log"), {"LD_LIBRARY_PATH": libraries})

    def answers_dhcp(self):
        argv = self.tool("dhcpload", "--interface", self.lab.link, "--seconds", 0.01, "--warmup", 0,
                         "--outstanding", 1, "--timeout", 0.1, SERVER)
        return load(argv, tolerant=True)["offers"]["answered"] > 0

    def answers_tftp(self):
        argv = self.tool("tftpload", "--reads", 1, "--seconds", 0.3, "--blksize", 1468, SERVER, "snponly.efi")
        return load(argv, tolerant=True)["reads"] > 0

    def dnsmasq(self, hosts):
        lines = "".join(f"dhcp-host={mac(i)},set:host{i}\n" for i in range(1, hosts + 1))
        config = write(self.path(f"dnsmasq-{hosts}.conf"), f"""port=0
interface={self.lab.server_link}
bind-interfaces
dhcp-range=10.99.0.0,proxy,255.255.0.0
pxe-service=X86-64_EFI,"boot",snponly.efi
quiet-dhcp
user=nobody
leasefile-ro
{lines}""")
        return self.peer(["dnsmasq", "--no-daemon", "--conf-file=" + config], self.answers_dhcp)

    def dnsmasq_tftp(self):
        config = write(self.path("dnsmasq-tftp.conf"), f"""port=0
interface={self.lab.server_link}
bind-interfaces
enable-tftp
tftp-root={self.files}
tftp-max=200
quiet-tftp
user=nobody
""")
        return self.peer(["dnsmasq", "--no-daemon", "--conf-file=" + config], self.answers_tftp)

    def in_tftpd(self):
        return self.peer([IN_TFTPD, "--foreground", "--address", SERVER + ":69", "--user",
                          "nobody", "--secure", self.files], self.answers_tftp)

    def atftpd(self):
        return self.peer([ATFTPD, "--daemon", "--no-fork", "--user", "nobody.nogroup",
                          "--bind-address", SERVER, "--maxthread", "200", "--verbose=3", "--logfile",
                          "/dev/null", self.files], self.answers_tftp)

    def nginx(self, script):
        """nginx, with `script` (bytes) as the answer to /ipxe, from a file."""
        with open(self.path("files/ipxe"), "wb") as file:
            file.write(script)
        config = write(self.path("nginx.conf"), f"""daemon off;
worker_processes auto;
user nobody nogroup;
pid {self.path("nginx.pid")};
error_log {self.path("nginx.log")} warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type text/plain;
  client_body_temp_path {self.path("nginx-tmp")}; proxy_temp_path {self.path("nginx-tmp")};
  fastcgi_temp_path {self.path("nginx-tmp")}; uwsgi_temp_path {self.path("nginx-tmp")};
  scgi_temp_path {self.path("nginx-tmp")};
  server {{
    listen 8080 reuseport;
    location / {{ root {self.files}; }}
    location /assets/ {{ alias {self.files}/; }}
  }}
}}
""")
        return self.peer([NGINX, "-e", self.path("nginx.log"), "-c", config],
                         lambda: get("/ipxe") is not None)

    def matchbox(self, groups):
        data = self.path(f"matchbox-{groups}")
        boot = ('{"id": "linux", "name": "linux", "boot": {"kernel": "/assets/vmlinuz", "initrd": '
                '["/assets/initrd.img"], "args": ["console=ttyS1,115200n8", "ip=dhcp"]}}')
        write(data + "/profiles/linux.json", boot)
        write(data + "/groups/rest.json", '{"id": "rest", "name": "rest", "profile": "linux"}')
        for i in range(1, groups + 1):
            write(f"{data}/groups/host{i}.json", f'{{"id": "host{i}", "name": "host{i}", "profile": "linux", '
                  f'"selector": {{"mac": "{mac(i)}"}}}}')
        return self.peer([os.environ["PEER_MATCHBOX"], "-address", "0.0.0.0:8080", "-data-path", data,
                          "-assets-path", self.files, "-log-level", "warn"],
                         lambda: get(ipxe_path(1)) is not None)


def unpack_peers():
    """Fetches what conflicts, or would start as a service, from Debian, and only unpacks it."""
    part = PEERS + ".part"
    if os.path.isdir(PEERS):
        return
    shutil.rmtree(part, ignore_errors=True)
    for package in PEER_PACKAGES:
        archives = os.path.join(part, "archives")
        os.makedirs(archives + "/partial")
        argv = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root",
                "-o", "Dir::Cache::archives=" + archives, "--reinstall", "--download-only", "install", package]
        if subprocess.run(argv, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run(["apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        for deb in glob.glob(archives + "/*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, os.path.join(part, package)], check=True)
        shutil.rmtree(archives)
    os.rename(part, PEERS)


def versions():
    """What is compared: name -> version."""
    def first(argv, pattern):
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8")
        found = re.search(pattern, done.stdout)
        return found.group(1) if found else "?"
    found = {
        "moonboot": first([BUILD + "/moonboot", "--version"], r"([\d.]+)"),
        "dnsmasq": first(["dnsmasq", "--version"], r"version (\S+)"),
        "in.tftpd": first([IN_TFTPD, "--version"], r"(\d[\w.+-]*),?"),
        "atftpd": first([ATFTPD, "--version"], r"(\d[\w.]*)"),
        "nginx": first([NGINX, "-v"], r"nginx/(\S+)"),
        "wrk": first(["wrk", "--version"], r"(\d[\d.]*)"),
        "kernel": os.uname().release,
    }
    if os.environ.get("PEER_MATCHBOX"):
        found["matchbox"] = first([os.environ["PEER_MATCHBOX"], "-version"], r"(v?\d\S*)")
    return found
