#!/usr/bin/env bash
# moto 5.2.5 copies an object whose ETag is not the one that the copy asks for.
#
# CopyObject and UploadPartCopy take x-amz-copy-source-if-match: "copies the object if its entity tag matches"
# (Amazon S3 API reference), and S3 answers 412 PreconditionFailed otherwise. moto's server ignores the header
# on both requests, though it honours If-None-Match on PutObject. A tool that pins the source of a copy by its
# ETag, to be sure that no part comes from an object that was replaced meanwhile, passes its
# tests on moto without being protected, and mixes two objects there.
#
# Run on 2026-11-28 with moto 5.2.5 and boto3 1.43.11 from PyPI, CPython 3.11.7, on loopback. Output then:
#   CopyObject of another ETag: 200
#   UploadPartCopy of another ETag: 200
#   PutObject that must not overwrite: 412
#
# What follows: a copy must be proven by the checksum of what it made, not by its condition alone.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server,s3]==5.2.5' boto3==1.43.11
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/log" 2>&1 &
server=$!
cat >"$work/conditions.py" <<'PY'
import sys
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

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
s3.put_object(Bucket="bucket", Key="source", Body=b"x" * (6 << 20))
upload = s3.create_multipart_upload(Bucket="bucket", Key="target")["UploadId"]
other = {"CopySource": "bucket/source", "CopySourceIfMatch": '"00000000000000000000000000000000"'}


def status(call, **arguments):
    try:
        return call(Bucket="bucket", **arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


print("CopyObject of another ETag:", status(s3.copy_object, Key="copy", **other))
part = {"Key": "target", "UploadId": upload, "PartNumber": 1}
print("UploadPartCopy of another ETag:", status(s3.upload_part_copy, **part, **other))
kept = status(s3.put_object, Key="source", Body=b"y", IfNoneMatch="*")
print("PutObject that must not overwrite:", kept)
PY
env -u AWS_PROFILE -u http_proxy "$work/venv/bin/python" "$work/conditions.py" "$port" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
CopyObject of another ETag: 200
UploadPartCopy of another ETag: 200
PutObject that must not overwrite: 412
SEEN
