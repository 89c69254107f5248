#!/bin/bash
# ApplicationStart: starts the services that install_dependencies.sh installed.
set -euo pipefail

for service in php-fpm httpd apache2; do
    if systemctl cat "$service" >/dev/null 2>&1; then
        systemctl enable --now "$service"
    fi
done
