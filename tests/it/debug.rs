//! What `--debug` tells and what it keeps to itself, and `--color`.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;

use crate::support::settings::{Home, bare, keyed, revision, server, stderr};
use crate::support::{Between, Listener, hoist, run, run_failing};

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
        (head.operation() == "PutObject").then(|| crate::support::denied(head))
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

/// Tokens that are sent to others than S3, and what comes back for them.
#[test]
fn no_token_of_an_identity_is_told() {
    let (server, tree) = (server(), revision());
    let home = Home::new(
        "[profile work]\nregion = us-east-1\nsso_session = corp\nsso_account_id = \
         000000000000\nsso_role_name = deploy\n[sso-session corp]\nsso_region = \
         us-east-1\nsso_start_url = https://corp.example/start\n[profile \
         process]\nregion = us-east-1\ncredential_process = cat process.json\n",
        "",
    );
    let damaged = Home::new(
        "[default]\nregion = us-east-1\n",
        "[default]\naws_access_key_id = AKIAIOSFODNN7BROKENX\naws_secret_access_key SECRET-OF-BROKEN\n",
    );
    let cache = home.0.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(home.0.path().join("token"), "TOKEN-OF-WEB-IDENTITY").unwrap();
    fs::write(
        home.0.path().join("process.json"),
        r#"{"Version":1,"AccessKeyId":"ASIAIOSFODNN7PROCESS","SecretAccessKey":"SECRET-OF-PROCESS","SessionToken":"TOKEN-OF-PROCESS","Expiration":"2999-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    // The SHA-1 of "corp" names the file.
    fs::write(
        cache.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"),
        r#"{"accessToken":"TOKEN-OF-SSO","refreshToken":"REFRESH-OF-SSO","clientSecret":"CLIENT-OF-SSO","expiresAt":"2999-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let given = Listener::answering(
        "200 OK",
        r#"{"roleCredentials":{"accessKeyId":"ASIAIOSFODNN7GIVENXX","secretAccessKey":"SECRET-OF-SSO","sessionToken":"SESSION-OF-SSO","expiration":32503680000000}}"#,
    );
    let assumed = Listener::answering(
        "200 OK",
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIAIOSFODNN7ASSUMED</AccessKeyId><SecretAccessKey>SECRET-OF-ROLE\
         </SecretAccessKey><SessionToken>SESSION-OF-ROLE</SessionToken><Expiration>\
         2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>",
    );
    let refused = Listener::answering(
        "403 Forbidden",
        "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>",
    );
    let secrets = [
        "TOKEN-OF-WEB-IDENTITY",
        "TOKEN-OF-SSO",
        "REFRESH-OF-SSO",
        "CLIENT-OF-SSO",
        "ASIAIOSFODNN7GIVENXX",
        "SECRET-OF-SSO",
        "SESSION-OF-SSO",
        "ASIAIOSFODNN7ASSUMED",
        "SECRET-OF-ROLE",
        "SESSION-OF-ROLE",
        "ASIAIOSFODNN7PROCESS",
        "SECRET-OF-PROCESS",
        "TOKEN-OF-PROCESS",
        "AKIAIOSFODNN7BROKENX",
        "SECRET-OF-BROKEN",
        "AWS4-HMAC-SHA256",
    ];
    for (way, works) in [
        ("sso", true),
        ("web", true),
        ("refused", false),
        ("process", true),
        ("broken", false),
    ] {
        for debug in [true, false] {
            let mut command = bare(tree.path());
            home.point(&mut command)
                .current_dir(home.0.path())
                .env("HOME", home.0.path())
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ENDPOINT_URL_S3", server.url())
                .env("AWS_ENDPOINT_URL_CODEDEPLOY", server.url())
                .env("AWS_MAX_ATTEMPTS", "1")
                // What others read, and hoist must not.
                .env("RUST_LOG", "trace")
                .env("RUST_BACKTRACE", "full")
                .args(["--max-attempts", "1"])
                .args(debug.then_some("--debug"));
            match way {
                "sso" => {
                    command
                        .args(["--profile", "work"])
                        .env("AWS_ENDPOINT_URL_SSO", &given.url);
                }
                "web" | "refused" => {
                    let sts = if way == "web" { &assumed } else { &refused };
                    command
                        .env("AWS_ENDPOINT_URL_STS", &sts.url)
                        .env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/deploy")
                        .env("AWS_WEB_IDENTITY_TOKEN_FILE", home.0.path().join("token"));
                }
                "process" => drop(command.args(["--profile", "process"])),
                _ => drop(damaged.point(&mut command)),
            }
            let output = command.output().unwrap();
            let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.success(), works, "{way}: {said}");
            for secret in secrets {
                let at = said.lines().find(|line| line.contains(secret));
                assert_eq!(at, None, "{way}, --debug {debug}: {secret}");
            }
            assert_eq!(said.contains("DEBUG"), debug, "{way}: {said}");
        }
    }
}

#[test]
fn colors_are_on_off_or_as_the_terminal_has_them() {
    for (when, colors) in [("on", true), ("off", false), ("auto", false)] {
        let output = run_failing(hoist().args(["push", "--color", when]), 252);
        assert_eq!(stderr(&output).contains('\u{1b}'), colors, "{when}");
    }
    run_failing(hoist().args(["push", "--color", "pink"]), 252);
}
