#!/bin/bash
# CMS signatures, as iPXE's imgverify wants them: of assets and of what is rendered, verified by
# OpenSSL.
# shellcheck disable=SC2317 # functions are called by check
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"

moonboot=$BUILD/moonboot mac=52:54:00:12:34:56
prints() { # prints TEXT COMMAND…
    local text=$1
    shift
    "$@" 2>&1 | grep -qF -- "$text"
}
status() {
    curl -s --max-time 30 -o /dev/null -w '%{http_code}' "$base$1"
}
good() { # good CONTENT SIGNATURE [AUTHORITY]: as anybody would verify it
    openssl cms -verify -binary -inform DER -in "$2" -content "$1" -CAfile "${3:-ca.pem}" -purpose any -out /dev/null
}
bad() { ! good "$@"; }
signed() { # signed TARGET: what is there is what was signed
    local path query
    path=${1%%\?*}
    query=${1#"$path"}
    curl -sf --max-time 30 "$base$1" -o got && curl -sf --max-time 30 "$base$path.cms$query" -o got.cms && good got got.cms
}
certificate() { # certificate NAME USAGE: of the authority
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
            -extfile <(printf 'keyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$2") -out "$1.pem" 2>/dev/null
    chmod 600 "$1.key"
}

make_site
cd "$site" || exit 1
for name in ca strangers; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -keyout $name.key -out $name.pem 2>/dev/null
done
certificate code codeSigning
certificate tls serverAuth
head -c 300000 /dev/urandom >assets/vmlinuz
head -c 96M /dev/zero | tr '\0' x >assets/initrd.img
echo signed elsewhere >assets/other && echo "its signature" >assets/other.cms
cat >policy.lua <<'LUA'
profile "p" {
  kernel = "vmlinuz", initrd = "initrd.img", verify = true,
  args = { "doc={{config 'doc'}}" }, config = { doc = "for {{mac}}\n" },
}
rule "all" { boot = "p" }
LUA
check "verify without a certificate is an error" \
    prints "policy.lua:2: verify: this site signs nothing that iPXE could verify" "$moonboot" check -c site.yaml
check "at the start too" sh -c "! timeout 30 '$moonboot' serve -c site.yaml 2>said && grep -q 'policy.lua:2: verify' said"
cp site.yaml plain.yaml
echo "signing: { cms_cert: tls.pem, cms_key: tls.key }" >>site.yaml
check "a certificate of another kind is refused" prints "tls.pem: its extended key usage lacks codeSigning" \
    timeout 30 "$moonboot" serve -c site.yaml
cp plain.yaml site.yaml
echo "signing: { cms_cert: code.pem, cms_key: code.key }" >>site.yaml
check "check: all is well" prints "policy.lua: ok" "$moonboot" check -c site.yaml
check "eval shows what iPXE is told" prints "imgverify vmlinuz http://10.0.0.2:8080/assets/vmlinuz.cms || goto failed" \
    "$moonboot" eval policy.lua --mac $mac --render ipxe
sed '/verify = true/s/verify = true,//' policy.lua >unverified.lua && printf 'mac\n%s\n' $mac >machines.csv
check "diff: it is no longer" prints "- verify" "$moonboot" diff policy.lua unverified.lua --machines machines.csv
check "eval --json: it is to be verified" prints '"verify": true' "$moonboot" eval policy.lua --mac $mac --json
start_service

ask="/ipxe?mac=$mac&platform=efi&buildarch=x86_64"
script=$(curl -sf "$base$ask")
check "the script has them" grep -qF "imgverify initrd1 $base/assets/initrd.img.cms || goto failed" <<<"$script"
check "and begins with trust" grep -qF "imgtrust --permanent || goto failed" <<<"$script"
check "a kernel" signed /assets/vmlinuz
cp got.cms vmlinuz.cms
check "by the certificate's key, without attributes" sh -c \
    "openssl cms -cmsout -print -inform DER -in vmlinuz.cms | grep -q 'signedAttrs:' && ! openssl cms -cmsout -print -inform DER -in vmlinuz.cms | grep -q messageDigest"
check "its type" prints "application/pkcs7-signature" curl -sI "$base/assets/vmlinuz.cms"
check "the same again" sh -c "curl -sf $base/assets/vmlinuz.cms | cmp - vmlinuz.cms"
for _ in 1 2 3 4 5 6; do
    curl -sf --max-time 60 "$base/assets/initrd.img.cms" -o "large.$_" &
    waiting[_]=$!
done
check "while a large one is read, others are answered at once" \
    sh -c "curl -sf --max-time 2 '$base$ask' | grep -q imgtrust && curl -sf --max-time 2 $base/healthz"
for i in "${waiting[@]}"; do wait "$i"; done
check "a large one" good assets/initrd.img large.1
check "for all who asked" sh -c 'for n in 2 3 4 5 6; do cmp large.1 large.$n || exit 1; done'
worker_time() { # seconds of CPU that the workers have had
    local pid total=0
    for pid in $(pgrep -P "$service"); do
        total=$((total + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo $total
}
before=$(worker_time)
for _ in 1 2 3 4 5 6 7 8 9 10; do curl -sf "$base/assets/initrd.img.cms" -o again; done
check "it is not read on each request" [ $(($(worker_time) - before)) -lt 50 ]
printf y | dd of=assets/vmlinuz bs=1 seek=1000 conv=notrunc 2>/dev/null
check "a changed file: the old signature is refused" bad assets/vmlinuz vmlinuz.cms
check "and a new one made" signed /assets/vmlinuz
check "another authority refuses" bad got got.cms strangers.pem
check "one that was signed elsewhere stays" sh -c "curl -sf $base/assets/other.cms | cmp - assets/other.cms"
check "of nothing: 404" [ "$(status /assets/nothing.cms)" = 404 ]
check "of a signature: 404" [ "$(status /assets/vmlinuz.cms.cms)" = 404 ]
check "out of the directory: none" [ "$(status '/assets/..%2fcode.key.cms')" != 200 ]
document=$(grep -o 'doc=[^ ]*' <<<"$script" | sed "s|doc=$base||")
for target in /boot.ipxe "$ask" "/grub" "$document"; do
    check "${target%%[~?]*}: signed" signed "$target"
done
check "a token is wanted for that signature too" [ "$(status "${document/~token=??/~token=00}.cms")" = 403 ]
check "without signing.key there is no .minisig" [ "$(status /boot.ipxe.minisig)" = 404 ]
"$moonboot" keygen -W sign >/dev/null
sed -i 's/^signing: {/signing: { key: sign.key,/' site.yaml
check "both kinds" "$moonboot" reload -c site.yaml
check "beside each other" signed /boot.ipxe
check "and the other" sh -c "curl -sf $base/boot.ipxe -o b && curl -sf $base/boot.ipxe.minisig -o b.minisig && '$moonboot' verify -q -p sign.pub b"
certificate next codeSigning
sed -i 's/code.pem/next.pem/' site.yaml
check "a key that is not the certificate's: refused" sh -c "! '$moonboot' reload -c site.yaml >said 2>&1 && grep -q 'code.key: it is not the key' said"
sed -i 's/code.key/next.key/' site.yaml
check "the next certificate" "$moonboot" reload -c site.yaml
check "signs" signed /assets/vmlinuz
check "under its name" sh -c "openssl cms -verify -binary -inform DER -in got.cms -content got -CAfile ca.pem -purpose any -out /dev/null -signer s.pem && openssl x509 -noout -subject -in s.pem | grep -q next"
finish
