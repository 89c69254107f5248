//! What `--debug` tells and what it keeps to itself, and `--color`.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod support;

use support::settings::{Home, bare, keyed, revision, server, stderr};
use support::{Between, Listener, hoist, run, run_failing};

#[test]
fn debug_tells_requests_and_answers_and_no_secret() {
    let (server, tree) = (server(), revision());
    tree.file("secret.txt", "CONTENT-OF-A-FILE\n");
    let mut config = "[default]\nregion = us-east-1\n".to_owned();
    config.push_str("aws_session_token = TOKEN-IN-A-FILE\n");
    let home = Home::new(
        &config,
        "[default]\naws_access_key_id = AKIAIOSFODNN7FILEKEY\naws_secret_access_key = \
         SECRET-IN-A-FILE\naws_session_token = TOKEN-IN-A-FILE\n",
    );
    let container = Listener::answering(
        "200 OK",
        r#"{"AccessKeyId":"ASIAIOSFODNN7CONTAIN","SecretAccessKey":"SECRET-OF-A-TASK","Token":"TOKEN-OF-A-TASK","Expiration":"2999-01-01T00:00:00Z"}"#,
    );
    let proxy = Between::watching(&server);
    let proxied = proxy
        .url
        .replace("http://", "http://USER-OF-PROXY:PASSWORD-OF-PROXY@");
    let denied = Between::before(&server, |head| {
        (head.operation() == "PutObject").then(|| support::denied(head))
    });
    let secrets = [
        "AKIAIOSFODNN7FILEKEY",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7CONTAIN",
        "SECRET-IN-A-FILE",
        "TOKEN-IN-A-FILE",
        "SECRET-IN-VARIABLE",
        "TOKEN-IN-VARIABLE",
        "SECRET-OF-A-TASK",
        "TOKEN-OF-A-TASK",
        "TOKEN-FOR-TASKS",
        "USER-OF-PROXY",
        "PASSWORD-OF-PROXY",
        "VALUE-OF-METADATA",
        "CONTENT-OF-A-FILE",
        "AWS4-HMAC-SHA256",
        "SignedHeaders",
    ];
    for (way, url) in [
        ("file", &proxy.url),
        ("variable", &proxy.url),
        ("task", &denied.url),
    ] {
        let mut command = bare(tree.path());
        command
            .args(["--debug", "--metadata", "owner=VALUE-OF-METADATA"])
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", url);
        match way {
            "file" => {
                home.point(&mut command).env("HTTP_PROXY", &proxied);
                command.env("AWS_ENDPOINT_URL", server.url());
            }
            "variable" => {
                command
                    .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
                    .env("AWS_SECRET_ACCESS_KEY", "SECRET-IN-VARIABLE")
                    .env("AWS_SESSION_TOKEN", "TOKEN-IN-VARIABLE");
            }
            _ => {
                command
                    .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url)
                    .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "TOKEN-FOR-TASKS");
            }
        }
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(
            output.status.code(),
            Some(if way == "task" { 255 } else { 0 }),
            "{way}: {said}"
        );
        for secret in secrets {
            let at = said.lines().find(|line| line.contains(secret));
            assert_eq!(at, None, "{way}: {secret}");
        }
        for told in [
            "> PUT ",
            "> HEAD ",
            "/bucket/key.zip",
            "authorization=<hidden>",
            "< 200 ",
        ] {
            assert!(said.contains(told), "{way}: {told} is not in\n{said}");
        }
    }
    // Without it, nothing of the kind.
    let mut command = keyed(tree.path());
    let said = stderr(&run(command.env("AWS_ENDPOINT_URL", server.url())));
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn colors_are_on_off_or_as_the_terminal_has_them() {
    for (when, colors) in [("on", true), ("off", false), ("auto", false)] {
        let output = run_failing(hoist().args(["push", "--color", when]), 252);
        assert_eq!(stderr(&output).contains('\u{1b}'), colors, "{when}");
    }
    run_failing(hoist().args(["push", "--color", "pink"]), 252);
}
