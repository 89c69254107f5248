//! How hoist reaches AWS: settings, credentials, endpoints, proxies, TLS.

#![cfg(all(unix, feature = "cli", feature = "push", feature = "local"))]

use std::fs;
use std::process::Command;

use crate::support::settings::{Home, bare, keyed, revision, server, stderr};
use crate::support::{Between, BlackHole, Listener, Tls, authority, hoist, run, run_failing};

/// Access keys and regions that requests were signed with, each once.
fn signers(between: &Between) -> Vec<String> {
    let heads = between.heads();
    let mut signers: Vec<String> = heads
        .iter()
        .map(|head| {
            let (_, rest) = head
                .get("authorization")
                .unwrap()
                .split_once("Credential=")
                .unwrap();
            let scope: Vec<_> = rest.split(',').next().unwrap().split('/').collect();
            format!("{} {}", scope[0], scope[2])
        })
        .collect();
    signers.sort();
    signers.dedup();
    signers
}

#[test]
fn without_a_region_the_text_is_that_of_the_aws_cli() {
    let tree = revision();
    let mut command = bare(tree.path());
    let output = run_failing(&mut command, 253);
    assert_eq!(
        stderr(&output),
        "hoist: You must specify a region. You can also configure your region by running \"aws \
         configure\".\n"
    );
    run_failing(command.env("HOIST_EXIT_CODES", "v1"), 255);
}

#[test]
fn scripts_may_ask_for_the_exit_codes_of_version_1() {
    for (words, code, code_of_1) in [
        (&["push"][..], 252, 2),
        (
            &["push", "--application-name", "A", "--s3-location", "x"],
            252,
            255,
        ),
        (&["pack", "-o", "x", "--no-such-option"], 252, 255),
        (&["pack", "-o", "/dev/null", "--level", "99"], 252, 2),
    ] {
        run_failing(hoist().args(words), code);
        run_failing(hoist().args(words).env("HOIST_EXIT_CODES", "v1"), code_of_1);
    }
}

#[test]
fn without_credentials_the_text_is_that_of_the_aws_cli() {
    let (server, tree) = (server(), revision());
    let mut command = bare(tree.path());
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", server.url());
    let said = stderr(&run_failing(&mut command, 255));
    assert!(
        said.starts_with(&format!(
            "hoist: Failed to upload '{}' to 's3://bucket/key.zip': Unable to locate credentials\n",
            tree.path().display()
        )),
        "{said}"
    );
    let mut command = hoist();
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", server.url())
        .args([
            "register",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/k",
        ]);
    assert_eq!(
        stderr(&run_failing(&mut command, 253)),
        "hoist: Unable to locate credentials. You can configure credentials by running \"aws \
         configure\".\n"
    );
}

#[test]
fn the_region_is_found_where_the_aws_cli_finds_it() {
    let (server, tree) = (server(), revision());
    let home = Home::new("[default]\nregion = eu-west-3\n", "");
    let variables = [
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_REGION", "eu-west-1"),
    ];
    for (set, option, expected) in [
        (0, None, "eu-west-3"),
        (1, None, "eu-west-2"),
        (2, None, "eu-west-1"),
        (2, Some("eu-north-1"), "eu-north-1"),
    ] {
        let between = Between::watching(&server);
        let mut command = keyed(tree.path());
        home.point(&mut command).env_remove("AWS_REGION");
        command.envs(variables.into_iter().take(set));
        if let Some(region) = option {
            command.args(["--region", region]);
        }
        between.point(&mut command);
        // The bucket is in us-east-1.
        let said = stderr(&run_failing(&mut command, 255));
        assert!(
            said.contains(&format!("CodeDeploy is asked in {expected}")),
            "{said}"
        );
        assert_eq!(signers(&between), [format!("ENVIRONMENT {expected}")]);
    }
}

#[test]
fn profiles_are_chosen_as_the_aws_cli_chooses_them() {
    let (server, tree) = (server(), revision());
    let keys = |name: &str| {
        format!("[{name}]\naws_access_key_id = {name}\naws_secret_access_key = secret\n")
    };
    let home = Home::new(
        "[default]\nregion = us-east-1\n[profile one]\nregion = us-east-1\n[profile \
         two]\nregion = us-east-1\n",
        &["default", "one", "two"].map(keys).concat(),
    );
    let environment = ("AWS_ACCESS_KEY_ID", "ENVIRONMENT");
    let secret = ("AWS_SECRET_ACCESS_KEY", "secret");
    for (variables, option, signer) in [
        (&[][..], None, "default"),
        (&[("AWS_DEFAULT_PROFILE", "one")], None, "one"),
        (
            &[("AWS_DEFAULT_PROFILE", "one"), ("AWS_PROFILE", "two")],
            None,
            "two",
        ),
        (&[("AWS_PROFILE", "two")], Some("one"), "one"),
        (
            &[environment, secret, ("AWS_PROFILE", "two")],
            None,
            "ENVIRONMENT",
        ),
        (&[environment, secret], Some("two"), "two"),
    ] {
        let between = Between::watching(&server);
        let mut command = bare(tree.path());
        home.point(&mut command).envs(variables.iter().copied());
        if let Some(profile) = option {
            command.args(["--profile", profile]);
        }
        between.point(&mut command);
        run(&mut command);
        assert_eq!(
            signers(&between),
            [format!("{signer} us-east-1")],
            "{variables:?} {option:?}"
        );
    }
    let mut command = bare(tree.path());
    let output = run_failing(home.point(&mut command).env("AWS_PROFILE", "none"), 255);
    assert_eq!(
        stderr(&output),
        "hoist: The config profile (none) could not be found\n"
    );
}

#[test]
fn credentials_come_from_a_container() {
    let (server, tree) = (server(), revision());
    let container = Listener::answering(
        "200 OK",
        r#"{"AccessKeyId":"CONTAINER","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"}"#,
    );
    let between = Between::watching(&server);
    let mut command = bare(tree.path());
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "task");
    between.point(&mut command);
    run(&mut command);
    assert_eq!(signers(&between), ["CONTAINER us-east-1"]);
    let heard = container.heard().join("\n").to_ascii_lowercase();
    assert!(heard.contains("authorization: task"), "{heard}");
}

/// Where a push of `command` would connect to, by a proxy that connects nobody.
fn hosts(command: &mut Command) -> Vec<String> {
    let proxy = Listener::proxy();
    command
        .env("HTTPS_PROXY", &proxy.url)
        .env("AWS_MAX_ATTEMPTS", "1");
    run_failing(command, 255);
    proxy.hosts()
}

#[test]
fn endpoints_are_amazons_of_the_kind_that_is_asked_for() {
    let tree = revision();
    for (variables, expected) in [
        (
            &[][..],
            [
                "bucket.s3.us-east-1.amazonaws.com",
                "codedeploy.us-east-1.amazonaws.com",
            ],
        ),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            [
                "bucket.s3-fips.us-east-1.amazonaws.com",
                "codedeploy-fips.us-east-1.amazonaws.com",
            ],
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            [
                "bucket.s3.dualstack.us-east-1.amazonaws.com",
                "codedeploy.us-east-1.api.aws",
            ],
        ),
    ] {
        let mut command = keyed(tree.path());
        assert_eq!(hosts(command.envs(variables.iter().copied())), expected);
        // The client without verification knows the same proxies.
        assert_eq!(hosts(command.arg("--no-verify-ssl")), expected);
        assert_eq!(hosts(command.env("AWS_CA_BUNDLE", authority())), expected);
    }
}

#[test]
fn a_web_identity_and_a_session_of_sso_are_exchanged() {
    let tree = revision();
    let token = tree.path().join("token");
    fs::write(&token, "a.b.c").unwrap();
    let mut command = bare(tree.path());
    command
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/deploy")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    assert_eq!(hosts(&mut command), ["sts.eu-west-1.amazonaws.com"]);

    // A role that the keys of another profile assume, in the region of the profile.
    let home = Home::new(
        "[profile role]\nregion = eu-central-1\nrole_arn = \
         arn:aws:iam::000000000000:role/deploy\nsource_profile = base\n",
        "[base]\naws_access_key_id = base\naws_secret_access_key = secret\n",
    );
    for by_option in [true, false] {
        let mut command = bare(tree.path());
        home.point(&mut command);
        if by_option {
            command.args(["--profile", "role"]);
        } else {
            command.env("AWS_DEFAULT_PROFILE", "role");
        }
        assert_eq!(hosts(&mut command), ["sts.eu-central-1.amazonaws.com"]);
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_USE_FIPS_ENDPOINT", "true");
        assert_eq!(hosts(&mut command), ["sts-fips.us-east-1.amazonaws.com"]);
    }

    let home = Home::new(
        "[profile work]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = \
         000000000000\nsso_role_name = deploy\n[sso-session corp]\nsso_region = \
         us-west-2\nsso_start_url = https://corp.example/start\n",
        "",
    );
    let cache = home.0.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    // The SHA-1 of "corp" names the file.
    fs::write(
        cache.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"),
        r#"{"accessToken":"t","expiresAt":"2999-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let mut command = bare(tree.path());
    home.point(&mut command)
        .env("HOME", home.0.path())
        .args(["--profile", "work"]);
    assert_eq!(hosts(&mut command), ["portal.sso.us-west-2.amazonaws.com"]);
}

#[test]
fn a_proxy_is_passed_by_where_it_is_told_to_be() {
    let (server, tree) = (server(), revision());
    for (variable, exception) in [("HTTP_PROXY", "NO_PROXY"), ("http_proxy", "no_proxy")] {
        let proxy = Listener::proxy();
        let mut command = keyed(tree.path());
        command
            .env("AWS_ENDPOINT_URL", server.url())
            .env("AWS_MAX_ATTEMPTS", "1")
            .args(["--max-attempts", "1"])
            .env(variable, &proxy.url);
        run_failing(&mut command, 255);
        let heard = proxy.heard();
        assert!(
            heard.iter().any(|line| line.contains("/bucket")),
            "{heard:?}"
        );
        let proxy = Listener::proxy();
        run(command
            .env(variable, &proxy.url)
            .env(exception, "127.0.0.1,example.com"));
        assert_eq!(proxy.heard(), [""; 0]);
    }
}

#[test]
fn each_service_may_have_an_endpoint_of_its_own() {
    let (server, tree) = (server(), revision());
    let (s3, codedeploy) = (Between::watching(&server), Between::watching(&server));
    for set in ["options", "environment", "config", "one option"] {
        let mut command = keyed(tree.path());
        let home = Home::new(
            &format!(
                "[default]\nservices = here\n[services here]\ns3 =\n  endpoint_url = \
                 {}\ncodedeploy =\n  endpoint_url = {}\n",
                s3.url, codedeploy.url
            ),
            "",
        );
        match set {
            "options" => {
                command
                    .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
                    .args(["--endpoint-url", "http://127.0.0.1:9"])
                    .args(["--s3-endpoint-url", &s3.url])
                    .args(["--codedeploy-endpoint-url", &codedeploy.url]);
            }
            "environment" => {
                command
                    .env("AWS_ENDPOINT_URL_S3", &s3.url)
                    .env("AWS_ENDPOINT_URL_CODEDEPLOY", &codedeploy.url);
            }
            "config" => {
                home.point(&mut command);
            }
            _ => {
                command
                    .env("AWS_ENDPOINT_URL", &codedeploy.url)
                    .args(["--s3-endpoint-url", &s3.url]);
            }
        }
        let (asked_s3, asked_codedeploy) = (s3.heads().len(), codedeploy.heads().len());
        run(&mut command);
        assert!(s3.heads().len() > asked_s3 && codedeploy.heads().len() > asked_codedeploy);
    }
    for head in s3.heads() {
        assert!(head.get("x-amz-target").is_none(), "{head:?}");
        // The bucket is in the path: this host has no others below it.
        assert!(head.line.contains(" /bucket"), "{head:?}");
    }
    for head in codedeploy.heads() {
        assert!(head.get("x-amz-target").is_some(), "{head:?}");
    }
    for bad in ["localhost:9000", "ftp://x", "http://", ""] {
        let mut command = keyed(tree.path());
        let said = stderr(&run_failing(command.args(["--s3-endpoint-url", bad]), 252));
        assert!(
            said.contains("is not an endpoint") || bad.is_empty(),
            "{said}"
        );
    }
}

#[test]
fn nothing_is_signed_that_need_not_be() {
    let (server, tree) = (server(), revision());
    let between = Between::watching(&server);
    let mut command = bare(tree.path());
    command
        .env("AWS_REGION", "us-east-1")
        .arg("--no-sign-request");
    between.point(&mut command);
    run(&mut command);
    assert!(between.heads().len() >= 4);
    for head in between.heads() {
        assert_eq!(head.get("authorization"), None, "{head:?}");
    }
}

#[test]
fn a_ca_bundle_is_what_is_trusted() {
    let (server, tree) = (server(), revision());
    let tls = Tls::before(&server);
    let client = || {
        let mut command = keyed(tree.path());
        command
            .env("AWS_ENDPOINT_URL", &tls.url)
            .env("AWS_MAX_ATTEMPTS", "1");
        command
    };
    let said = stderr(&run_failing(&mut client(), 255));
    assert!(said.contains("UnknownIssuer"), "{said}");

    let bundle = authority();
    let home = Home::new(
        &format!("[default]\nca_bundle = {}\n", bundle.display()),
        "",
    );
    run(client().arg("--ca-bundle").arg(&bundle));
    run(client().env("AWS_CA_BUNDLE", &bundle));
    run(home.point(&mut client()));
    run(client().arg("--no-verify-ssl"));
    // The option comes before the variable.
    let missing = tree.path().join("missing.pem");
    run(client()
        .arg("--ca-bundle")
        .arg(&bundle)
        .env("AWS_CA_BUNDLE", &missing));

    let said = stderr(&run_failing(client().env("AWS_CA_BUNDLE", &missing), 255));
    assert!(
        said.contains("cannot read the CA bundle") && said.contains("missing.pem"),
        "{said}"
    );
    let appspec = tree.path().join("appspec.yml");
    let said = stderr(&run_failing(client().arg("--ca-bundle").arg(appspec), 255));
    assert!(said.contains("has no certificate in it"), "{said}");
}

#[test]
fn an_answer_is_waited_for_as_long_as_said() {
    let (server, tree) = (server(), revision());
    let hole = BlackHole::before(&server, "PUT ");
    let mut command = keyed(tree.path());
    command
        .env("AWS_ENDPOINT_URL", &hole.url)
        .env("AWS_MAX_ATTEMPTS", "1")
        .args(["--cli-read-timeout", "1", "--max-attempts", "1"]);
    let said = stderr(&run_failing(&mut command, 255));
    assert!(
        said.contains("no answer to PutObject") && said.contains("timeout"),
        "{said}"
    );
}
