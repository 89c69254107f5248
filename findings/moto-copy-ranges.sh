#!/usr/bin/env bash
# moto 5.2.5 makes a part of any range that UploadPartCopy names, also of one that the source does not have.
#
# x-amz-copy-source-range "must use the form bytes=first-last", and a range beyond the source's size is an error
# (UploadPartCopy, Amazon S3 API reference; Amazon S3 answers 400 InvalidArgument or 416 InvalidRange). moto's
# server takes what there is: a range whose last byte is one too high gives the bytes before it, one behind the
# end and one that is reversed give empty parts, and forms that S3 refuses give the whole object. All are
# answered with 200. It also takes part number 10,001. A copy with a mistake in its ranges passes its tests on moto
# and fails on S3, or is whole on moto by luck.
#
# Run on 2026-11-28 with moto 5.2.5 and boto3 1.43.11 from PyPI, CPython 3.11.7, on loopback. Output then, for a
# source of 6,291,456 bytes:
#   bytes=0-6291455: part 1 of 6291456 bytes
#   bytes=0-6291456: part 2 of 6291456 bytes
#   bytes=6291456-6291461: part 3 of 0 bytes
#   bytes=5-2: part 4 of 0 bytes
#   bytes=0-: part 5 of 6291456 bytes
#   bytes=0-5,7-9: part 10001 of 6291456 bytes
#
# What follows: the embedded endpoint refuses each range but the first; tests of copies need such a judge.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server,s3]==5.2.5' boto3==1.43.11
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/log" 2>&1 &
server=$!
cat >"$work/ranges.py" <<'PY'
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
size = 6 << 20
s3.put_object(Bucket="bucket", Key="source", Body=b"x" * size)
upload = s3.create_multipart_upload(Bucket="bucket", Key="target")["UploadId"]
ranges = {
    1: f"bytes=0-{size - 1}",
    2: f"bytes=0-{size}",
    3: f"bytes={size}-{size + 5}",
    4: "bytes=5-2",
    5: "bytes=0-",
    10_001: "bytes=0-5,7-9",
}
target = {"Bucket": "bucket", "Key": "target", "UploadId": upload}
for number, text in ranges.items():
    s3.upload_part_copy(
        **target, PartNumber=number, CopySource="bucket/source", CopySourceRange=text
    )
for part in s3.list_parts(**target)["Parts"]:
    number = part["PartNumber"]
    print(f"{ranges[number]}: part {number} of {part['Size']} bytes")
PY
env -u AWS_PROFILE -u http_proxy "$work/venv/bin/python" "$work/ranges.py" "$port" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
bytes=0-6291455: part 1 of 6291456 bytes
bytes=0-6291456: part 2 of 6291456 bytes
bytes=6291456-6291461: part 3 of 0 bytes
bytes=5-2: part 4 of 0 bytes
bytes=0-: part 5 of 6291456 bytes
bytes=0-5,7-9: part 10001 of 6291456 bytes
SEEN
