#!/bin/bash
# Signatures in minisign's format: of files, both ways with Debian's minisign, and of what is
# served.
# shellcheck disable=SC2317,SC2119 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot mac=52:54:00:12:34:56
passphrase='correct horse'
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
exits() { # exits CODE COMMAND…
    local code=$1
    shift
    "$@" </dev/null >/dev/null 2>&1
    [ $? = "$code" ]
}
with_passphrase() { # with_passphrase COMMAND…
    printf '%s\n%s\n' "$passphrase" "$passphrase" | "$@"
}
signs() { # signs KEY FILE PUB COMMAND…: the command signs the file, and both accept it
    local key=$1 file=$2 public=$3
    shift 3
    rm -f "$file.minisig"
    with_passphrase "$@" -s "$key" "$file" || return 1
    minisign -q -V -p "$public" -m "$file" && "$moonboot" verify -q -p "$public" "$file"
}
minisign_signs() { # minisign_signs -s KEY FILE, and more options before it
    local options=()
    while [ "$1" != -s ]; do options+=("$1") && shift; done
    minisign -S "${options[@]}" -s "$2" -m "$3"
}

make_site
cd "$site" || exit 1
head -c 300000 /dev/urandom >file

# --- files -----------------------------------------------------------------------------------

check "keygen: in the clear" "$moonboot" keygen --no-passphrase open
check "keygen: the secret key is its owner's" [ "$(stat -c %a open.key)" = 600 ]
check "keygen: replaces no key" exits 1 "$moonboot" keygen -W open
check "keygen: but when told to" "$moonboot" keygen -W -f open
check "keygen: a passphrase" with_passphrase "$moonboot" keygen locked
check "minisign -G" with_passphrase minisign -G -p mini.pub -s mini.key
check "minisign -G -W" minisign -G -W -p miniopen.pub -s miniopen.key
chmod 600 mini.key miniopen.key
check "sign: our key" signs open.key file open.pub "$moonboot" sign
check "sign: minisign's key under a passphrase" signs mini.key file mini.pub "$moonboot" sign
check "sign: minisign's key in the clear" signs miniopen.key file miniopen.pub "$moonboot" sign
check "minisign -S: our key under a passphrase" signs locked.key file locked.pub minisign_signs
check "minisign -S: our key" signs open.key file open.pub minisign_signs
check "minisign -S -l, as old ones did" signs open.key file open.pub minisign_signs -l
passphrase='wrong'
check "sign: a wrong passphrase" prints "mini.key: the passphrase is wrong" \
    with_passphrase "$moonboot" sign -s mini.key file
check "sign: a comment" "$moonboot" sign -s open.key -t "release 7" file
check "verify: prints it" prints "file: good: release 7" "$moonboot" verify -p open.pub file
check "verify: the key alone" "$moonboot" verify -q -P "$(tail -n 1 open.pub)" file
check "verify: another key" exits 1 "$moonboot" verify -p mini.pub file
check "sign --raw" "$moonboot" sign --raw -s open.key file
check "sign --raw: 64 bytes" [ "$(stat -c %s file.sig)" = 64 ]
check "verify --raw" "$moonboot" verify -q --raw -p open.pub file
python3 - <<'PYTHON'
data = bytearray(open("file", "rb").read())
data[123456] ^= 4
open("file", "wb").write(data)
PYTHON
check "verify: one bit of the file" exits 1 "$moonboot" verify -p open.pub file
check "verify --raw: one bit of the file" exits 1 "$moonboot" verify --raw -p open.pub file
check "verify: no signature" exits 1 "$moonboot" verify -p open.pub open.key
chmod 644 miniopen.key
check "sign: a key that everyone can read" prints "everyone on this host can read" \
    "$moonboot" sign -s miniopen.key file
chmod 644 open.pub
check "sign: a public key is none" prints "open.pub: it is a public key, expected the secret one" \
    "$moonboot" sign -s open.pub file
echo x >nokey
chmod 644 nokey
check "sign: nor is any other file" prints "nokey: it is no secret key of minisign's format" \
    "$moonboot" sign -s nokey file
for command in keygen sign verify; do
    check "$command --help" prints "Usage: moonboot $command" "$moonboot" $command --help
    check "$command: bad usage" exits 2 "$moonboot" $command --nonsense
    check "$command: too little" exits 2 "$moonboot" $command
done

# --- what is served ----------------------------------------------------------------------------

signed() { # signed TARGET: what is there, and its signatures of both kinds
    local target=$1 path query
    path=${target%%\?*}
    query=${target#"$path"}
    curl -sf --max-time 10 "$base$target" -o got || return 1
    curl -sf --max-time 10 "$base$path.minisig$query" -o got.minisig || return 1
    curl -sf --max-time 10 "$base$path.sig$query" -o got.sig || return 1
    minisign -q -V -p open.pub -m got && "$moonboot" verify -q -p open.pub got &&
        "$moonboot" verify -q --raw -p open.pub got
}
status() {
    curl -s --max-time 10 -o /dev/null -w '%{http_code}' "$base$1"
}

cat >policy.lua <<'LUA'
local n = 0
profile "p" {
  kernel = "vmlinuz", args = { "doc={{config 'cloud/user-data'}}" },
  config = { ["cloud/user-data"] = "for {{mac}}\n" },
}
rule "counted" { match = { mac = "52:54:00:00:00:09" }, boot = function()
  n = n + 1
  return { use = "p", args = { "n=" .. n } }
end }
rule "all" { match = { mac = prefix "52:54:00" }, boot = "p" }
serve "/page" (function() return "a page\n" end)
LUA
echo asset >assets/file
mkdir tftp/pxelinux.cfg && echo "DEFAULT local" >tftp/pxelinux.cfg/01-00-00-00-00-00-01
"$moonboot" sign -s open.key tftp/pxelinux.cfg/01-00-00-00-00-00-01 assets/file
echo "signing: { key: open.key }" >>site.yaml
start_service

ask="mac=$mac&platform=efi&buildarch=x86_64"
document=$(curl -sf "$base/ipxe?$ask" | grep -o 'doc=[^ ]*' | sed "s|doc=$base||")
for target in /boot.ipxe "/ipxe?$ask" /grub "/grub?$ask" "/pxelinux.cfg/01-${mac//:/-}" "/v1/boot/$mac" "$document" /page; do
    check "${target%%~*}: signed" signed "$target"
done
curl -sf "$base$document" -o got && curl -sf "$base$document.minisig" -o got.minisig
check "the comment has the path, without its token" \
    prints "path:/config/~mac=$mac~arch=efi-x64~platform=efi~buildarch=x86_64~ip=127.0.0.1/cloud/user-data" cat got.minisig
check "and no token" sh -c "! grep -q token got.minisig"
check "and the machine" prints "machine:$mac" cat got.minisig
check "and the time" grep -qE "^trusted comment: timestamp:$(date +%s | cut -c 1-8)[0-9]{2}	" got.minisig
check "for anybody: so it says" prints "machine:any" curl -sf "$base/boot.ipxe.minisig"
same=true
for _ in 1 2 3 4 5 6 7 8; do # by different workers, and never the same bytes
    signed "/ipxe?mac=52:54:00:00:00:09&n=$RANDOM" || same=false
done
check "the signature is of what was sent, not of what would be sent now" $same
check "a signature of what nobody was sent" "$moonboot" verify -q -p open.pub -x <(curl -sf "$base/ipxe.minisig?$ask&x=1") \
    <(curl -sf "$base/ipxe?$ask&x=1")
check "a token is wanted for the signature too" [ "$(status "${document/~token=??/~token=00}.minisig")" = 403 ]
check "a file's signature is a file" cmp -s <(curl -sf "$base/assets/file.minisig") assets/file.minisig
check "a file's under the TFTP root too" \
    cmp -s <(curl -sf "$base/pxelinux.cfg/01-00-00-00-00-00-01.minisig") tftp/pxelinux.cfg/01-00-00-00-00-00-01.minisig
check "a file without one: 404" [ "$(status /pxelinux.cfg/01-00-00-00-00-00-01.sig)" = 404 ]
check "no such page: no signature" [ "$(status /nothing.minisig)" = 404 ]

# --- examples/signed: verified before it runs ---------------------------------------------------

cat >stub <<'PYTHON'
import http.server, sys, os
class Handler(http.server.BaseHTTPRequestHandler): # whatever is asked for: a file, or its signature
    def do_GET(self):
        name = sys.argv[1] + (".minisig" if self.path.endswith(".minisig") else "")
        found = os.path.exists(name)
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(open(name, "rb").read())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
mkdir bin root
for tool in sh sed wget mktemp rm printf echo; do ln -s "$(command -v busybox)" "bin/$tool"; done
ln -s "$(command -v minisign)" bin/
ran() { # ran URL: the script was run, by the tools of an initramfs
    rm -f ran
    env -i PATH="$site/bin" MOONBOOT_KEY="$site/open.pub" "$site/bin/sh" "$here/../../examples/signed/moonboot-run" "$1" >said 2>&1
    [ -f ran ]
}
not_run() { # not_run WHY URL
    ! ran "$2" && grep -qF -- "$1" said
}
impostor() { # impostor FILE: what somebody else serves in moonboot's place; sets $other
    [ -z "${impostor:-}" ] || kill "$impostor"
    : >port
    python3 stub "$1" >port &
    impostor=$!
    wait_for "somebody else serves" 10 test -s port
    other=http://127.0.0.1:$(cat port)
}
sed -i "s|for {{mac}}|touch $site/ran # {{mac}}|" policy.lua
kill -HUP "$service"
wait_for "another policy" 10 grep -q "ready: generation 2" "$log"
url=$base$(curl -sf "$base/ipxe?$ask" | grep -o 'doc=[^ ]*' | sed "s|doc=$base||")
check "moonboot-run: runs what is signed" ran "$url"
check "moonboot-run: not without a token" not_run "cannot be fetched" "${url/~token=??/~token=00}"
curl -sf "$url" -o seen && curl -sf "$url.minisig" -o seen.minisig
impostor seen
check "moonboot-run: the same from somebody else" ran "${url/$base/$other}"
check "moonboot-run: not for another machine" not_run "for something else" "$other/config/~mac=52:54:00:00:00:77/cloud/user-data"
check "moonboot-run: not for another document" not_run "for something else" "$other/config/~mac=$mac/x"
sed 's/touch/true; touch/' seen >forged && cp seen.minisig forged.minisig
impostor forged
check "moonboot-run: not when it was changed" not_run "the signature is not good" "${url/$base/$other}"
rm forged.minisig
check "moonboot-run: not without a signature" not_run "has no signature" "${url/$base/$other}"
"$moonboot" keygen -W rogue >/dev/null && "$moonboot" sign -s rogue.key -t "$(sed -n 's/^trusted comment: //p' seen.minisig)" forged
check "moonboot-run: not by another key" not_run "the signature is not good" "${url/$base/$other}"
kill "$impostor"

cp locked.key open.key
kill -HUP "$service"
wait_for "a key under a passphrase is refused" 10 grep -q "open.key.: it is under a passphrase" "$log"
check "what serves goes on" signed "/ipxe?$ask"

finish
