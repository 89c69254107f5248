#!/bin/bash
# ValidateService: checks that the front page shows the version just installed.
set -euo pipefail

version=$(sed -n "s/^const DEMO_VERSION = '\(.*\)';$/\1/p" /var/www/html/wp-includes/version.php)

for _ in $(seq 1 30); do
    if curl -fsS --max-time 5 http://localhost/ | grep -qF "Version $version"; then
        echo "version $version answers"
        exit 0
    fi
    sleep 2
done

echo "version $version does not answer on http://localhost/" >&2
exit 1
