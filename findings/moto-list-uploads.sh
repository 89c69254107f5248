#!/usr/bin/env bash
# moto 5.2.5 says of every unfinished multipart upload that it began on 2010-11-10, and ignores MaxUploads.
#
# ListMultipartUploads (Amazon S3 API reference) gives the time at which each upload was initiated, at most
# 1,000 uploads a page, and IsTruncated with the markers of the next page. moto's server answers with one fixed
# time, and with all uploads in one page that says MaxUploads 1000 and IsTruncated false, whatever was asked for.
# A program that aborts "uploads older than a week" aborts those that began a second ago, and one that forgets
# to ask for the next page passes its tests.
#
# Run on 2026-11-28 with moto 5.2.5 and boto3 1.43.11 from PyPI, CPython 3.11.7, on loopback. Output then:
#   begun now, listed as begun in 2010
#   asked for 10 of 1,101 uploads: got 1101, IsTruncated False
#
# What follows: the age of an upload on moto means nothing (docs/clean.md).
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server,s3]==5.2.5' boto3==1.43.11
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/log" 2>&1 &
server=$!
cat >"$work/list.py" <<'PY'
import sys
import time
import urllib.request

import boto3

url = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(100):
    try:
        urllib.request.urlopen(url, timeout=1).close()
        break
    except OSError:
        time.sleep(0.2)
s3 = boto3.client(
    "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
)
s3.create_bucket(Bucket="bucket")
s3.create_multipart_upload(Bucket="bucket", Key="first")
(upload,) = s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
print("begun now, listed as begun in", upload["Initiated"].year)
for number in range(1100):
    s3.create_multipart_upload(Bucket="bucket", Key=f"key-{number:04}")
page = s3.list_multipart_uploads(Bucket="bucket", MaxUploads=10)
print(
    f"asked for 10 of 1,101 uploads: got {len(page['Uploads'])}, IsTruncated {page['IsTruncated']}"
)
PY
env -u AWS_PROFILE -u http_proxy "$work/venv/bin/python" "$work/list.py" "$port" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
begun now, listed as begun in 2010
asked for 10 of 1,101 uploads: got 1101, IsTruncated False
SEEN
