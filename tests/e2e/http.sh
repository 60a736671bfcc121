#!/bin/bash
# HTTP as machines and people use it: scripts, files, ranges, paths that must not work.
# shellcheck disable=SC2317,SC2119 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

ask="/ipxe?mac=52:54:00:12:34:56&uuid=00112233-4455-6677-8899-aabbccddeeff&platform=efi&buildarch=x86_64"
outside=

status() { # status PATH [CURL…]: the status alone; the path goes out as it is
    local path=$1
    shift
    curl -s --path-as-is --max-time 20 -o /dev/null -w '%{http_code}' "$@" "$base$path"
}
header() { # header NAME PATH [CURL…]: its value in the answer to a HEAD
    local name=$1 path=$2
    shift 2
    curl -sI --path-as-is --max-time 20 "$@" "$base$path" | tr -d '\r' | sed -n "s/^$name: //Ip"
}
says() { # says TEXT PATH [CURL…]: the body has that text
    local text=$1 path=$2
    shift 2
    curl -s --max-time 20 "$@" "$base$path" | grep -qF -- "$text"
}
is_status() { # is_status WANTED PATH [CURL…]
    local wanted=$1
    shift
    [ "$(status "$@")" = "$wanted" ]
}
same() { # same FILE [CURL…]: what arrives is the file
    local file=$1
    shift
    [ "$(curl -s --max-time 60 "$@" "$base/assets/$file" | sha256sum)" = "$(sha256sum <"$site/assets/$file")" ]
}
raw() { # raw TEXT: bytes as they are, and what comes back
    exec 9<>"/dev/tcp/127.0.0.1/$http_port" || return 1
    printf '%b' "$1" >&9
    timeout 5 cat <&9
    exec 9>&-
}
raw_status() { # raw_status WANTED TEXT
    [ "$(raw "$2" | head -n 1 | cut -d ' ' -f 2)" = "$1" ]
}

make_site
outside=$site/outside
mkdir "$outside" "$site/assets/el9"
echo secret >"$outside/secret"
ln -s "$outside/secret" "$site/assets/absolute"
ln -s ../outside/secret "$site/assets/relative"
ln -s ../outside "$site/assets/directory"
ln -s el9/vmlinuz "$site/assets/inside"
ln -s loop "$site/assets/loop"
mkfifo "$site/assets/fifo"
chmod 755 "$outside"
for size in 0 1 511 512 513 16384 16385; do head -c "$size" /dev/urandom >"$site/assets/$size.bin"; done
head -c 100M /dev/urandom >"$site/assets/100M.bin"
truncate -s 5G "$site/assets/5G.img"
printf 'the end' | dd of="$site/assets/5G.img" bs=1 seek=$((5 * 1024 * 1024 * 1024 - 7)) conv=notrunc status=none
echo kernel >"$site/assets/el9/vmlinuz"
echo spaced >"$site/assets/a b+c%d"
cp "$site/assets/512.bin" "$site/assets/x.efi"
echo hidden >"$site/assets/unreadable"
chmod 000 "$site/assets/unreadable"
cat >"$site/policy.lua" <<'LUA'
profile "p" { kernel = "vmlinuz", args = { "a=b" } }
rule "fails" { match = { mac = "52:54:00:00:00:04" }, boot = function () error "broken on purpose" end, on_error = "p" }
rule "all" { boot = "p" }
LUA
start_service

# --- scripts ---------------------------------------------------------------------------------

for path in /boot.ipxe /boot.ipxe.0; do
    check "$path is an iPXE script" sh -c "curl -sf $base$path | head -n 1 | grep -qx '#!ipxe'"
    check "$path chains to /ipxe" says "/ipxe" "$path"
done
check "/ipxe has the kernel" says "/assets/vmlinuz" "$ask"
check "/ipxe has the arguments" says "a=b" "$ask"
check "/ipxe: HEAD has the GET's length" \
    [ "$(header Content-Length "$ask")" = "$(curl -s "$base$ask" | wc -c)" ]
check "/ipxe: HTTP/1.0" says "a=b" "$ask" --http1.0
check "/ipxe: on_error" says "a=b" "/ipxe?mac=52:54:00:00:00:04"
check "an unknown path is 404" is_status 404 /nothing
check "an unknown path is a script for iPXE" says "chain --replace" /nothing -A iPXE/1.21.1
check "an unknown path: status 200 for iPXE" is_status 200 /nothing -A iPXE/1.21.1
check "autoexec.ipxe is a quiet 404" is_status 404 /autoexec.ipxe -A iPXE/1.21.1
check "an unknown asset is 404 for iPXE too" is_status 404 /assets/nothing -A iPXE/1.21.1
check "methods: DELETE is 405" is_status 405 /ipxe -X DELETE
check "methods: an unknown one is 501" is_status 501 /ipxe -X BREW
check "methods: POST to a file is 405" is_status 405 /assets/512.bin -d x

# --- files -----------------------------------------------------------------------------------

for size in 0 1 511 512 513 16384 16385 100M; do check "$size bytes arrive" same "$size.bin"; done
check "100 MiB by HTTP/1.0" same 100M.bin --http1.0
check "a length" [ "$(header Content-Length /assets/513.bin)" = 513 ]
check "application/efi" [ "$(header Content-Type /assets/x.efi)" = application/efi ]
check "a name with blank, plus and percent" is_status 200 '/assets/a%20b+c%25d'
check "a link that stays inside" is_status 200 /assets/inside
etag=$(header ETag /assets/512.bin)
modified=$(header Last-Modified /assets/512.bin)
check "an ETag" [ -n "$etag" ]
check "a Last-Modified" [ -n "$modified" ]
check "If-None-Match: 304" is_status 304 /assets/512.bin -H "If-None-Match: $etag"
check "If-None-Match, another: 200" is_status 200 /assets/512.bin -H 'If-None-Match: "x"'
check "If-Modified-Since: 304" is_status 304 /assets/512.bin -H "If-Modified-Since: $modified"
check "If-Match, another: 412" is_status 412 /assets/512.bin -H 'If-Match: "x"'
check "a range: 206" is_status 206 /assets/512.bin -r 10-19
check "a range: its bytes" cmp -s <(curl -s -r 10-19 "$base/assets/512.bin") \
    <(tail -c +11 "$site/assets/512.bin" | head -c 10)
check "a range after the end: 416" is_status 416 /assets/512.bin -r 512-
check "Range with If-Match, as EDK2 goes on: 206" \
    is_status 206 /assets/512.bin -r 256- -H "If-Match: $etag"
touch -d '1 hour ago' "$site/assets/512.bin"
check "a changed file has another ETag" [ "$(header ETag /assets/512.bin)" != "$etag" ]
check "a changed file: Range with If-Range sends the whole" \
    is_status 200 /assets/512.bin -r 256- -H "If-Range: $etag"
check "5 GiB: length" [ "$(header Content-Length /assets/5G.img)" = 5368709120 ]
check "5 GiB: the end" [ "$(curl -s -r -7 "$base/assets/5G.img")" = "the end" ]
check "5 GiB: from beyond 4 GiB" \
    [ "$(curl -s -r 5367709120- "$base/assets/5G.img" | tail -c 7)" = "the end" ]

# --- paths that lead out ---------------------------------------------------------------------

for path in ../outside/secret el9/../../outside/secret %2e%2e/outside/secret .%2e/outside/secret \
    %2E%2E%2Foutside%2Fsecret ..%2foutside/secret /etc/passwd %2fetc/passwd //etc/passwd \
    ../../../../../../etc/passwd %2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd \
    absolute relative directory/secret; do
    code=$(status "/assets/$path")
    check "/assets/$path leads nowhere" grep -qE '^40[34]$' <<<"$code"
    check "/assets/$path tells nothing" \
        sh -c "! curl -s --path-as-is '$base/assets/$path' | grep -qE 'secret$|root:'"
done
check "/assets/../policy.lua leads nowhere" grep -qE '^40[34]$' <<<"$(status /assets/../policy.lua)"
for path in '..\outside\secret' '..%5coutside%5csecret'; do
    check "/assets/$path is no name" is_status 404 "/assets/$path"
done
check "%00 is 400" is_status 400 /assets/512.bin%00.txt
check "half an escape is 400" is_status 400 /assets/%2
for name in '' el9 el9/ . fifo; do
    check "/assets/$name is no file" is_status 404 "/assets/$name"
done
check "a loop of links" grep -qE '^40[34]$' <<<"$(status /assets/loop)"
if [ "$(id -u)" = 0 ]; then
    check "an unreadable file is 403" is_status 403 /assets/unreadable
else
    skip "an unreadable file" "not root: the service reads its own files"
fi

# --- the protocol's edges --------------------------------------------------------------------

check "lpxelinux: HTTP/1.0 with Connection: close" \
    raw_status 200 "GET /boot.ipxe HTTP/1.0\r\nConnection: close\r\n\r\n"
check "bare LF: 400" raw_status 400 'GET /healthz HTTP/1.1\nHost: a\n\n'
check "no Host: 400" raw_status 400 'GET /healthz HTTP/1.1\r\n\r\n'
check "two lengths: 400" \
    raw_status 400 'POST /ipxe HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'
check "chunks: 501" is_status 501 /ipxe -X POST -H "Transfer-Encoding: chunked" -d x
check "a long head: 431" is_status 431 /healthz -H "X: $(head -c 70000 /dev/zero | tr '\0' a)"
check "a long target: 414" is_status 414 "/$(head -c 9000 /dev/zero | tr '\0' a)"
check "a long body: 413" is_status 413 /ipxe -H "Expect:" --data-binary @"$site/assets/100M.bin"
check "pipelining" [ "$(raw 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n' | grep -cx ok)" = 2 ]

# --- what the core answers itself ------------------------------------------------------------

check "/healthz" [ "$(fetch /healthz)" = ok ]
check "/readyz" says "generation 1" /readyz
check "/metrics: type" [ "$(header Content-Type /metrics)" = "text/plain; version=0.0.4; charset=utf-8" ]
check "/metrics: counts" sh -c "curl -s $base/metrics | grep -qE '^moonboot_http_responses_total\{code=\"4xx\"\} [1-9]'"
check "/metrics: bytes" sh -c "curl -s $base/metrics | grep -qE '^moonboot_http_sent_bytes_total 2[0-9]{8}'"

# --- many ------------------------------------------------------------------------------------

if command -v wrk >/dev/null; then
    # A connection closed by its time is an error to wrk: no longer than idle_seconds.
    wrk -t 2 -c 20 -d 3 "$base$ask" >"$site/wrk" 2>&1
    requests=$(sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' "$site/wrk")
    check "wrk: 10,000 requests or more (${requests:-none})" [ "${requests:-0}" -ge 10000 ]
    check "wrk: no error" sh -c "! grep -qE 'Non-2xx|Socket errors' '$site/wrk'"
else
    skip "wrk" "not installed"
fi
check "after it all: ready" is_status 200 /readyz

finish
