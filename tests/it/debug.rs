//! `--debug` shows requests and answers, and no output shows a secret.

use std::process::Command;

use hoist::endpoint::faults::Operation;

use crate::support::{Done, Home, Listener, Run as _, Scene};

/// A push whose credentials are elsewhere than in the environment.
fn push(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.push(arguments);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn assert_silent_about(done: &Done, secrets: &[&str], what: &str) {
    let said = format!("{}{}", done.stderr, done.stdout);
    for secret in secrets {
        let at = said.lines().find(|line| line.contains(secret));
        assert_eq!(at, None, "{what}: {secret}");
    }
}

#[test]
fn debug_shows_requests_and_answers_and_no_secret() {
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
    let scene = Scene::new();
    scene.tree.file("secret.txt", "CONTENT-OF-A-FILE\n");
    let home = Home::new(
        "[default]\nregion = us-east-1\naws_session_token = TOKEN-IN-A-FILE\n",
        "[default]\naws_access_key_id = AKIAIOSFODNN7FILEKEY\naws_secret_access_key = \
         SECRET-IN-A-FILE\naws_session_token = TOKEN-IN-A-FILE\n",
    );
    let container = Listener::answering(
        "200 OK",
        r#"{"AccessKeyId":"ASIAIOSFODNN7CONTAIN","SecretAccessKey":"SECRET-OF-A-TASK","Token":"TOKEN-OF-A-TASK","Expiration":"2999-01-01T00:00:00Z"}"#,
    );
    let proxy = scene
        .url()
        .replace("http://", "http://USER-OF-PROXY:PASSWORD-OF-PROXY@");
    for source in ["file", "variable", "task"] {
        let mut push = push(
            &scene,
            &["--debug", "--metadata", "owner=VALUE-OF-METADATA"],
        );
        match source {
            "file" => {
                home.point(&mut push).env("HTTP_PROXY", &proxy);
            }
            "variable" => {
                push.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
                    .env("AWS_SECRET_ACCESS_KEY", "SECRET-IN-VARIABLE")
                    .env("AWS_SESSION_TOKEN", "TOKEN-IN-VARIABLE");
            }
            _ => {
                push.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url)
                    .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "TOKEN-FOR-TASKS");
                // An error shows none of them either.
                scene.deny(&[Operation::PutObject]);
            }
        }
        let done = push.fails(if source == "task" { 255 } else { 0 });
        assert_silent_about(&done, &secrets, source);
        done.says("> PUT ")
            .says("> HEAD ")
            .says("/bucket/key.zip")
            .says("authorization=<hidden>")
            .says("< 200 ");
    }
    // Without the option there is the summary only.
    scene.forget();
    let done = scene.push(&[]).ok();
    assert_eq!(done.stderr.lines().count(), 1, "{done}");
}

/// Tokens are sent to services other than S3, and secrets come back for them.
#[test]
fn no_token_of_an_identity_is_shown() {
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
    let scene = Scene::new();
    let home = Home::with_sso(
        "[profile process]\nregion = us-east-1\ncredential_process = cat process.json\n",
        r#"{"accessToken":"TOKEN-OF-SSO","refreshToken":"REFRESH-OF-SSO","clientSecret":"CLIENT-OF-SSO","expiresAt":"2999-01-01T00:00:00Z"}"#,
    );
    home.file("token", "TOKEN-OF-WEB-IDENTITY");
    home.file(
        "process.json",
        r#"{"Version":1,"AccessKeyId":"ASIAIOSFODNN7PROCESS","SecretAccessKey":"SECRET-OF-PROCESS","SessionToken":"TOKEN-OF-PROCESS","Expiration":"2999-01-01T00:00:00Z"}"#,
    );
    let damaged = Home::new(
        "[default]\nregion = us-east-1\n",
        "[default]\naws_access_key_id = AKIAIOSFODNN7BROKENX\naws_secret_access_key SECRET-OF-BROKEN\n",
    );
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
    for (source, works) in [
        ("sso", true),
        ("web", true),
        ("refused", false),
        ("process", true),
        ("broken", false),
    ] {
        for debug in [true, false] {
            let mut push = push(&scene, &["--max-attempts", "1"]);
            home.point(&mut push)
                .args(debug.then_some("--debug"))
                .current_dir(home.path())
                .env_remove("AWS_ENDPOINT_URL")
                .env("AWS_ENDPOINT_URL_S3", scene.url())
                .env("AWS_ENDPOINT_URL_CODEDEPLOY", scene.url())
                .env("AWS_MAX_ATTEMPTS", "1")
                // Other programs read these, and hoist must not.
                .env("RUST_LOG", "trace")
                .env("RUST_BACKTRACE", "full");
            match source {
                "sso" => {
                    push.args(["--profile", "work"])
                        .env("AWS_ENDPOINT_URL_SSO", &given.url);
                }
                "web" | "refused" => {
                    let sts = if source == "web" { &assumed } else { &refused };
                    push.env("AWS_ENDPOINT_URL_STS", &sts.url)
                        .env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/deploy")
                        .env("AWS_WEB_IDENTITY_TOKEN_FILE", home.path().join("token"));
                }
                "process" => drop(push.args(["--profile", "process"])),
                _ => drop(damaged.point(&mut push)),
            }
            let done = push.done();
            assert_eq!(done.code == Some(0), works, "{source}: {done}");
            assert_silent_about(&done, &secrets, &format!("{source}, --debug {debug}"));
            assert_eq!(done.stderr.contains("DEBUG"), debug, "{source}: {done}");
        }
    }
}
