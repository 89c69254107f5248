#!/usr/bin/env bash
# The AWS CLI keeps its global options from an external alias: they are neither arguments nor variables there.
#
# An alias that begins with an exclamation mark runs a shell command, and gets the arguments that follow its name
# (AWS CLI User Guide, "Creating and using AWS CLI command aliases"). But the AWS CLI 1.46.3 takes --region,
# --profile, --endpoint-url, --output, --no-sign-request, --ca-bundle and its other global options out of the
# line first, wherever they stand, and sets no variable for them. An unknown option is passed on, so the alias
# cannot tell that anything is missing: `aws --region eu-west-1 ALIAS` works in the region of the environment, and
# a profile that does not exist is no error.
#
# Run on 2026-11-28 with awscli 1.46.3 (botocore 1.43.62) from PyPI, CPython 3.11.7. Output then:
#   aws --region eu-west-1 show one two: <one><two>AWS_DEFAULT_REGION=us-east-1
#   aws show one --region eu-west-1 two: <one><two>AWS_DEFAULT_REGION=us-east-1
#   aws show one --profile missing --endpoint-url http://127.0.0.1:9 --other: <one><--other>AWS_DEFAULT_REGION=us-east-1
#
# What follows: a shell function that reads the whole line can take the place of a command of the AWS CLI; an
# alias cannot (docs/migrating.md).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check awscli==1.46.3 botocore==1.43.62
mkdir -p "$work/home/.aws/cli"
cat >"$work/home/.aws/cli/alias" <<'ALIAS'
[toplevel]
show = !f() { printf '<%s>' "$@"; env | grep -E '^AWS_(REGION|DEFAULT_REGION|PROFILE|DEFAULT_PROFILE|ENDPOINT_URL)='; }; f
ALIAS
show() {
    printf 'aws %s: ' "$*"
    env -i PATH="$work/venv/bin:/usr/bin:/bin" HOME="$work/home" AWS_DEFAULT_REGION=us-east-1 aws "$@"
}
{
    show --region eu-west-1 show one two
    show show one --region eu-west-1 two
    show show one --profile missing --endpoint-url http://127.0.0.1:9 --other
} | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
aws --region eu-west-1 show one two: <one><two>AWS_DEFAULT_REGION=us-east-1
aws show one --region eu-west-1 two: <one><two>AWS_DEFAULT_REGION=us-east-1
aws show one --profile missing --endpoint-url http://127.0.0.1:9 --other: <one><--other>AWS_DEFAULT_REGION=us-east-1
SEEN
