#!/bin/bash
# ApplicationStop: CodeDeploy runs the *previous* revision's copy of this script.
set -euo pipefail

for service in httpd apache2; do
    if systemctl is-active --quiet "$service"; then
        systemctl stop "$service"
    fi
done
