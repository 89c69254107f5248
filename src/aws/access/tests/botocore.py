"""Prints what botocore makes of settings, for each row of the JSON list on standard input.

Nothing is sent: requests are taken before they leave, and sources of credentials are described and not asked.
What the AWS CLI version 2 adds to botocore is set here: AWS_REGION, AWS_PROFILE before AWS_DEFAULT_PROFILE,
and the regional endpoint of S3 in us-east-1.
"""

import faulthandler
import http.client
import json
import os
import shlex
import sys
from urllib.parse import urlsplit

import botocore.credentials as credentials
import botocore.httpsession
import botocore.loaders
import botocore.session
import botocore.utils

LOADER = botocore.loaders.create_loader()
VARIABLES = {
    "profile": (None, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], None, None),
    "region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None),
}


class Described:
    """Credentials that are not asked for."""

    def __init__(self, text):
        self.text = text


class Fetcher:
    """Stands for a request to STS or SSO."""

    last = None

    def __init__(self, text):
        self.text = text
        Fetcher.last = self

    def fetch_credentials(self):
        raise AssertionError("asked")


def role(client_creator, source_credentials, role_arn, extra_args=None, **_):
    given = extra_args or {}
    parts = ["role", role_arn]
    parts += [
        f"{name}={given[key]}"
        for name, key in [
            ("session", "RoleSessionName"),
            ("id", "ExternalId"),
            ("mfa", "SerialNumber"),
            ("duration", "DurationSeconds"),
        ]
        if key in given
    ]
    return Fetcher(" ".join(parts) + f" by {described(source_credentials)}")


def web_identity(client_creator, web_identity_token_loader, role_arn, extra_args=None, **_):
    token = web_identity_token_loader._web_identity_token_path
    session = (extra_args or {}).get("RoleSessionName")
    named = f" session={session}" if session is not None else ""
    return Fetcher(f"web {role_arn}{named} {token}")


def sso(start_url, sso_region, role_name, account_id, sso_session_name=None, **_):
    return Fetcher(f"sso {sso_session_name} {start_url} {sso_region} {account_id} {role_name}")


def process(self):
    command = self._credential_process
    if command is None:
        return None
    words = shlex.split(command)
    if not words:
        raise ValueError("no command")
    return Described("process " + " ".join(shlex.quote(word) for word in words))


def login(self):
    config = self._load_config()["profiles"].get(self._profile_name, {})
    if "login_session" in config:
        raise ValueError("hoist cannot read the credentials of aws login")
    return None


def instance(self):
    off = os.environ.get("AWS_EC2_METADATA_DISABLED", "false").lower() == "true"
    return None if off else Described("instance")


def container(self):
    """As ContainerProvider, up to the request."""
    if self._provided_relative_uri():
        url = self._fetcher.full_url(self._environ[self.ENV_VAR])
    else:
        url = self._environ[self.ENV_VAR_FULL]
        self._fetcher.validate_full_url(url) if hasattr(self._fetcher, "validate_full_url") else None
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(url)
    self._build_headers()
    return Described("container")


credentials.AssumeRoleCredentialFetcher = role
credentials.AssumeRoleWithWebIdentityCredentialFetcher = web_identity
credentials.SSOCredentialFetcher = sso
credentials.DeferredRefreshableCredentials = lambda **_: Described(Fetcher.last.text)
credentials.create_mfa_serial_refresher = lambda refresh: refresh
credentials.ProcessProvider.load = process
credentials.InstanceMetadataProvider.load = instance
credentials.ContainerProvider._retrieve_or_fail = container
if hasattr(credentials, "LoginProvider"):
    credentials.LoginProvider.load = login


def described(found):
    if found is None:
        return "none"
    if isinstance(found, Described):
        return found.text
    keys = found.get_frozen_credentials()
    return f"keys {keys.access_key} {keys.secret_key} {keys.token or None}"


def asked(client, operation, **parameters):
    """The address of a request, whose headers must be such as can be sent."""

    def take(request, **_):
        connection = http.client.HTTPConnection("h")
        connection.putrequest("GET", "/")
        for name, value in request.headers.items():
            connection.putheader(name, value)
        raise Heard(request.url.split("?")[0].rstrip("/"))

    client.meta.events.register("before-send", take)
    try:
        getattr(client, operation)(**parameters)
    except Heard as heard:
        return str(heard)
    raise AssertionError("nothing was sent")


class Heard(Exception):
    """The address of a request, which ends there."""


def proxy(url):
    named = botocore.httpsession.ProxyConfiguration(botocore.utils.get_environ_proxies(url))
    found = named.proxy_url_for(url)
    if not found:
        return None
    try:
        parts = urlsplit(found)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "bad"
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return "bad"
    return f"{parts.scheme}://{parts.hostname}:{port}"


def answer(row):
    os.environ.clear()
    os.environ.update(row["variables"])
    os.environ["AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"] = "regional"
    for name, text in row["files"].items():
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as file:
            file.write(bytes(text))
    session = botocore.session.Session(session_vars=VARIABLES, profile=row["profile"])
    session.register_component("data_loader", LOADER)
    region, endpoint = row["region"], row["endpoint"]
    # The provider for clients that are made with credentials would not be described.
    found = session.get_credentials()
    text = described(found)
    if isinstance(found, Described) or found is None:
        session.set_credentials("a", "b")
    deploy = session.create_client("codedeploy", region_name=region, endpoint_url=endpoint)
    s3 = session.create_client("s3", region_name=region, endpoint_url=endpoint)
    mode = deploy.meta.config.retries["mode"]
    if mode not in ("legacy", "standard", "adaptive"):
        raise ValueError(f"retry mode {mode}")
    bundle = row["ca_bundle"] or session.get_config_variable("ca_bundle")
    bundle = bundle if bundle is not None else os.environ.get("REQUESTS_CA_BUNDLE")
    urls = {
        "s3": asked(s3, "head_bucket", Bucket="bucket"),
        "codedeploy": asked(deploy, "get_application", applicationName="App"),
    }
    return {
        "profile": session.profile or "default",
        "region": deploy.meta.region_name,
        "credentials": text,
        **urls,
        "proxy_s3": proxy(urls["s3"]),
        "proxy_codedeploy": proxy(urls["codedeploy"]),
        "ca": bundle and os.path.expanduser(bundle),
    }


def main():
    faulthandler.dump_traceback_later(100, exit=True)
    answers = []
    for row in json.load(sys.stdin):
        try:
            answers.append(answer(row))
        except Exception as error:
            answers.append({"refused": f"{type(error).__name__}: {error}"})
    sys.stdout.write(json.dumps(answers))


main()
