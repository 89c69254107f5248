#!/bin/bash
# AfterInstall: root owns the code and the settings, and the web server may read
# them. The uploads are its own.
set -euo pipefail

user=apache
if ! id "$user" >/dev/null 2>&1; then
    user=www-data
fi

chown -R root:"$user" /var/www/html /etc/wordpress
mkdir -p /var/www/html/wp-content/uploads
chown -R "$user":"$user" /var/www/html/wp-content/uploads
