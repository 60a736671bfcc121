#!/bin/sh
# Made for {{mac}}.
set -eu
root=${rootmnt:-}
echo {{sh(role .. "-" .. mac:gsub(":", ""))}} >"$root/etc/hostname"
