#!/usr/bin/env bash
# `aws deploy wait deployment-successful` gives up within seconds when CodeDeploy gets too many requests, with the
# exit code of a deployment that failed.
#
# The command "will poll every 15 seconds until a successful state has been reached" and "will exit with a return
# code of 255 after 120 failed checks" (AWS CLI Command Reference). A wait of half an hour seems to outlive a
# moment in which a poll is throttled. But each poll is one call, which the AWS CLI 1.46.3 makes 5 times at most
# with pauses of a few seconds (3 times with AWS_RETRY_MODE=standard), and any error that it ends with ends the
# wait: ThrottlingException, InternalFailure, a connection that is refused. The exit code is 255 for these, for
# a deployment that failed, and for one that took too long.
#
# Run on 2026-11-28 with awscli 1.46.3 (botocore 1.43.62) from PyPI, CPython 3.11.7, on loopback. Output then:
#   throttled from the first poll on: 5 requests, exit code 255, ThrottlingException
#   throttled, with AWS_RETRY_MODE=standard: 3 requests, exit code 255, ThrottlingException
#   failed: 1 requests, exit code 255, Failed
#   throttled twice, then succeeded: 3 requests, exit code 0
#
# What follows: a pipeline that rolls back when the wait ends with 255 may roll back a deployment that goes well. A
# program that waits must take a throttled poll for no answer (docs/migrating.md).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check awscli==1.46.3 botocore==1.43.62
cat >"$work/wait.py" <<'PY'
import http.server
import json
import os
import subprocess
import sys
import threading

requests, answers = [], []


class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        requests.append(self.path)
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()


def deployment(status):
    return 200, {"deploymentInfo": {"deploymentId": "d-EXAMPLE11", "status": status}}


def wait(what, given, **variables):
    requests.clear()
    answers[:] = given
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": sys.argv[1],
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        **variables,
    }
    command = ["deploy", "wait", "deployment-successful", "--deployment-id", "d-EXAMPLE11"]
    done = subprocess.run(
        [f"{sys.argv[1]}/venv/bin/aws", *command], env=environment, capture_output=True, text=True
    )
    said = [word for word in ("ThrottlingException", "Failed") if word in done.stderr]
    line = f"{what}: {len(requests)} requests, exit code {done.returncode}"
    print(", ".join([line, *said[:1]]))


busy = 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
wait("throttled from the first poll on", [busy])
wait("throttled, with AWS_RETRY_MODE=standard", [busy], AWS_RETRY_MODE="standard")
wait("failed", [deployment("Failed")])
wait("throttled twice, then succeeded", [busy, busy, deployment("Succeeded")])
PY
python3 "$work/wait.py" "$work" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
throttled from the first poll on: 5 requests, exit code 255, ThrottlingException
throttled, with AWS_RETRY_MODE=standard: 3 requests, exit code 255, ThrottlingException
failed: 1 requests, exit code 255, Failed
throttled twice, then succeeded: 3 requests, exit code 0
SEEN
