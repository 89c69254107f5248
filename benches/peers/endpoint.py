"""Runs one `hoist serve` for all contenders, and makes the environment in which they use it.

The endpoint accepts unsigned requests, so plain HTTP suffices to make the bucket and the application and
to delete objects.
"""

import http.client
import json
import os
import subprocess
import urllib.parse

BUCKET = "bucket"
APPLICATION = "App"


class Refused(Exception):
    """The endpoint did not start, or refused a request."""


class Endpoint:
    def __init__(self, hoist, state):
        self.hoist = hoist
        self.state = state

    def __enter__(self):
        self.server = subprocess.Popen(
            [self.hoist, "serve", "--dir", self.state],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = self.server.stdout.readline().strip()
            if "=" not in line:
                raise Refused(f"{self.hoist} serve did not print its address")
            self.url = line.split("=", 1)[1]
            self.request("PUT", f"/{BUCKET}")
            self.request(
                "POST",
                "/",
                json.dumps({"applicationName": APPLICATION}),
                {
                    "X-Amz-Target": "CodeDeploy_20141006.CreateApplication",
                    "Content-Type": "application/x-amz-json-1.1",
                },
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()

    def request(self, method, path, body=None, headers={}):
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname, address.port)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 300:
                raise Refused(f"{method} {path}: {answer.status} {content.decode(errors='replace')}")
        finally:
            connection.close()

    def stored(self, key):
        """The object's file. `hoist serve` stores objects unchanged."""
        return self.state / "buckets" / BUCKET / "objects" / key

    def delete(self, key):
        self.request("DELETE", f"/{BUCKET}/{key}")

    def environment(self, temporary):
        """The caller's environment, without settings that would change what a contender does or where."""
        foreign = ("AWS_", "RCLONE_", "ZIPOPT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        env = {k: v for k, v in os.environ.items() if not k.upper().startswith(foreign)}
        env.update(
            # aws and 7zz put their temporary files here.
            TMPDIR=str(temporary),
            AWS_ENDPOINT_URL=self.url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_REGION="us-east-1",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            AWS_EC2_METADATA_DISABLED="true",
            # An empty path: rclone reads no configuration file.
            RCLONE_CONFIG="",
            RCLONE_CONFIG_PEER_TYPE="s3",
            RCLONE_CONFIG_PEER_PROVIDER="Other",
            RCLONE_CONFIG_PEER_ENDPOINT=self.url,
            RCLONE_CONFIG_PEER_REGION="us-east-1",
            RCLONE_CONFIG_PEER_ACCESS_KEY_ID="test",
            RCLONE_CONFIG_PEER_SECRET_ACCESS_KEY="test",
        )
        return env
