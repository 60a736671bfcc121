#!/bin/sh
# Runs in the installed system, before its first boot.
set -e

install -d -m 700 -o admin -g admin /home/admin/.ssh
{% for _, key in ipairs(keys) do %}
echo {{ sh(key) }} >> /home/admin/.ssh/authorized_keys
{% end %}
chown admin:admin /home/admin/.ssh/authorized_keys
chmod 600 /home/admin/.ssh/authorized_keys

echo 'admin ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/admin
echo {{ sh("serial number " .. (serial or "unknown") .. ", " .. (product or "unknown")) }} > /etc/motd
rm -f /root/late.sh
