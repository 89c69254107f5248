#!/bin/bash
# AfterInstall: makes secret keys for this instance, unless it has keys already.
set -euo pipefail

keys=/etc/wordpress/keys
if [ -s "$keys" ]; then
    exit 0
fi

umask 027
for name in AUTH SECURE_AUTH LOGGED_IN NONCE; do
    printf '%s_KEY=%s\n' "$name" "$(head -c 48 /dev/urandom | base64 -w 0)"
done >"$keys.new"
mv "$keys.new" "$keys"
