#!/bin/bash
# AfterInstall: makes root the owner of the code and the settings, which the web
# server may read, and the web server the owner of the uploads.
set -euo pipefail

user=apache
if ! id "$user" >/dev/null 2>&1; then
    user=www-data
fi

chown -R root:"$user" /var/www/html /etc/wordpress
mkdir -p /var/www/html/wp-content/uploads
chown -R "$user":"$user" /var/www/html/wp-content/uploads
