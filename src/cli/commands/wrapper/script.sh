#!/bin/sh
# Install it as `aws` in a directory of the PATH before that of the AWS CLI. Printed by `hoist aws-wrapper --script`.

# The AWS CLI is the next aws after this one in the PATH: so even two of these find it.
other_aws() {
    found=''
    IFS=:
    set -f
    for directory in $PATH; do
        file=${directory:-.}/aws
        if [ "$file" -ef "$0" ]; then
            found=''
        elif [ -z "$found" ] && [ -f "$file" ] && [ -x "$file" ]; then
            found=$file
        fi
    done
    if [ -z "$found" ]; then
        printf '%s\n' "$0: there is no other aws after this one in the PATH; install the AWS CLI" >&2
        exit 127
    fi
    unset IFS
    exec "$found" "$@"
}

@CHOOSE@

_hoist_aws "$@"
