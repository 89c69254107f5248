#!/bin/bash
# BeforeInstall: installs the web server and PHP with dnf or apt-get.
set -euo pipefail

if command -v dnf >/dev/null; then
    dnf install -y -q httpd php-fpm php-mysqlnd curl
elif command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -y -q apache2 libapache2-mod-php php-mysql curl
else
    echo "neither dnf nor apt-get is on this instance" >&2
    exit 1
fi

mkdir -p /var/www/html /etc/wordpress
