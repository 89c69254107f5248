//! How hoist reaches AWS: settings, credentials, endpoints, proxies, TLS.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use hoist::endpoint::faults::{Fault, Operation, When};

use crate::support::{Home, Listener, Run as _, Scene, Server, Tls, authority, hoist};

/// The command without any setting of AWS.
fn bare(mut command: Command) -> Command {
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ] {
        command.env_remove(name);
    }
    command
}

/// A push of the scene with no other setting than where the endpoint is.
fn bare_push(scene: &Scene) -> Command {
    let mut command = bare(scene.push(&[]));
    command.env("AWS_ENDPOINT_URL", scene.url());
    command
}

/// Access keys and regions that the requests were signed with, each once.
fn signers(scene: &Scene) -> Vec<String> {
    let requests = scene.requests();
    let signer = requests.iter().map(|request| {
        let header = request.header("authorization").unwrap();
        let (_, rest) = header.split_once("Credential=").unwrap();
        let scope: Vec<_> = rest.split(',').next().unwrap().split('/').collect();
        format!("{} {}", scope[0], scope[2])
    });
    let mut signers: Vec<_> = signer.collect();
    signers.sort();
    signers.dedup();
    signers
}

#[test]
fn without_a_region_the_text_is_that_of_the_aws_cli() {
    let scene = Scene::new();
    let mut command = bare_push(&scene);
    assert_eq!(
        command.fails(253).stderr,
        "hoist: You must specify a region. You can also configure your region by running \"aws \
         configure\".\n"
    );
    command.env("HOIST_EXIT_CODES", "v1").fails(255);
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
        hoist().args(words).fails(code);
        let mut command = hoist();
        command.args(words).env("HOIST_EXIT_CODES", "v1");
        command.fails(code_of_1);
    }
}

#[test]
fn without_credentials_the_text_is_that_of_the_aws_cli() {
    let scene = Scene::new();
    let mut push = bare_push(&scene);
    let done = push.env("AWS_REGION", "us-east-1").fails(255);
    let expected = format!(
        "hoist: Failed to upload '{}' to 's3://bucket/key.zip': Unable to locate credentials\n",
        scene.tree.path().display()
    );
    assert!(done.stderr.starts_with(&expected), "{done}");

    let mut register = bare(scene.hoist(&["register", "--application-name", "App"]));
    register.args(["--s3-location", "s3://bucket/k", "--region", "us-east-1"]);
    register.env("AWS_ENDPOINT_URL", scene.url());
    assert_eq!(
        register.fails(253).stderr,
        "hoist: Unable to locate credentials. You can configure credentials by running \"aws \
         configure\".\n"
    );
}

#[test]
fn the_region_is_found_where_the_aws_cli_finds_it() {
    let scene = Scene::new();
    let home = Home::new("[default]\nregion = eu-west-3\n", "");
    let variables = [
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_REGION", "eu-west-1"),
    ];
    for (set, option, expected) in [
        (0, None, "eu-west-3"),
        (1, None, "eu-west-2"),
        (2, None, "eu-west-1"),
        (2, Some("--region=eu-north-1"), "eu-north-1"),
    ] {
        scene.forget();
        let mut push = scene.push(&[]);
        push.env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION");
        push.envs(variables.into_iter().take(set)).args(option);
        // The bucket is in us-east-1.
        let done = home.point(&mut push).fails(255);
        done.says(&format!("CodeDeploy is asked in {expected}"));
        assert_eq!(signers(&scene), [format!("test {expected}")]);
    }
}

#[test]
fn profiles_are_chosen_as_the_aws_cli_chooses_them() {
    let scene = Scene::new();
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
        (&[("AWS_PROFILE", "two")], Some("--profile=one"), "one"),
        (
            &[environment, secret, ("AWS_PROFILE", "two")],
            None,
            "ENVIRONMENT",
        ),
        (&[environment, secret], Some("--profile=two"), "two"),
    ] {
        scene.forget();
        let mut push = bare_push(&scene);
        push.envs(variables.iter().copied()).args(option);
        home.point(&mut push).ok();
        let expected = [format!("{signer} us-east-1")];
        assert_eq!(signers(&scene), expected, "{variables:?} {option:?}");
    }
    let mut push = bare_push(&scene);
    assert_eq!(
        home.point(push.env("AWS_PROFILE", "none"))
            .fails(255)
            .stderr,
        "hoist: The config profile (none) could not be found\n"
    );
}

#[test]
fn credentials_come_from_a_container() {
    let scene = Scene::new();
    let container = Listener::answering(
        "200 OK",
        r#"{"AccessKeyId":"CONTAINER","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"}"#,
    );
    bare_push(&scene)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "task")
        .ok();
    assert_eq!(signers(&scene), ["CONTAINER us-east-1"]);
    let heard = container.heard().join("\n").to_ascii_lowercase();
    assert!(heard.contains("authorization: task"), "{heard}");
}

/// The hosts to which a command connects by way of a proxy, which refuses each connection.
#[track_caller]
fn hosts(command: &mut Command) -> Vec<String> {
    let proxy = Listener::proxy();
    command
        .env("HTTPS_PROXY", &proxy.url)
        .env("AWS_MAX_ATTEMPTS", "1")
        .fails(255);
    proxy.hosts()
}

/// A push that connects to Amazon's hosts.
fn push_to_amazon(scene: &Scene) -> Command {
    let mut command = scene.push(&["--max-attempts", "1"]);
    command.env_remove("AWS_ENDPOINT_URL");
    command
}

#[test]
fn endpoints_are_amazons_of_the_kind_that_is_asked_for() {
    let scene = Scene::new();
    for (variable, expected) in [
        (
            None,
            [
                "bucket.s3.us-east-1.amazonaws.com",
                "codedeploy.us-east-1.amazonaws.com",
            ],
        ),
        (
            Some(("AWS_USE_FIPS_ENDPOINT", "true")),
            [
                "bucket.s3-fips.us-east-1.amazonaws.com",
                "codedeploy-fips.us-east-1.amazonaws.com",
            ],
        ),
        (
            Some(("AWS_USE_DUALSTACK_ENDPOINT", "true")),
            [
                "bucket.s3.dualstack.us-east-1.amazonaws.com",
                "codedeploy.us-east-1.api.aws",
            ],
        ),
    ] {
        let mut push = push_to_amazon(&scene);
        assert_eq!(hosts(push.envs(variable)), expected);
        // Clients with other roots of trust know the same proxies.
        assert_eq!(hosts(push.arg("--no-verify-ssl")), expected);
        assert_eq!(hosts(push.env("AWS_CA_BUNDLE", authority())), expected);
    }
}

#[test]
fn web_identities_roles_and_sso_sessions_are_exchanged_in_their_region() {
    let scene = Scene::new();
    let push = || bare(push_to_amazon(&scene));
    let token = scene.tree.path().join("site/index.html");
    let mut with_token = push();
    with_token
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/deploy")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    assert_eq!(hosts(&mut with_token), ["sts.eu-west-1.amazonaws.com"]);

    // A role that the keys of another profile assume, in the region of the profile.
    let home = Home::new(
        "[profile role]\nregion = eu-central-1\nrole_arn = \
         arn:aws:iam::000000000000:role/deploy\nsource_profile = base\n",
        "[base]\naws_access_key_id = base\naws_secret_access_key = secret\n",
    );
    for by_option in [true, false] {
        let mut push = push();
        home.point(&mut push);
        if by_option {
            push.args(["--profile", "role"]);
        } else {
            push.env("AWS_DEFAULT_PROFILE", "role");
        }
        assert_eq!(hosts(&mut push), ["sts.eu-central-1.amazonaws.com"]);
        push.env("AWS_REGION", "us-east-1")
            .env("AWS_USE_FIPS_ENDPOINT", "true");
        assert_eq!(hosts(&mut push), ["sts-fips.us-east-1.amazonaws.com"]);
    }

    let token = r#"{"accessToken":"t","expiresAt":"2999-01-01T00:00:00Z"}"#;
    let home = Home::with_sso("", token);
    let mut push = push();
    home.point(&mut push).args(["--profile", "work"]);
    assert_eq!(hosts(&mut push), ["portal.sso.us-west-2.amazonaws.com"]);
}

#[test]
fn a_proxy_is_used_except_for_the_hosts_of_no_proxy() {
    let scene = Scene::new();
    for (variable, exception) in [("HTTP_PROXY", "NO_PROXY"), ("http_proxy", "no_proxy")] {
        let proxy = Listener::proxy();
        let mut push = scene.push(&["--max-attempts", "1"]);
        push.env("AWS_MAX_ATTEMPTS", "1").env(variable, &proxy.url);
        push.fails(255);
        let heard = proxy.heard().join("\n");
        assert!(heard.contains("/bucket"), "{heard}");
        let proxy = Listener::proxy();
        push.env(variable, &proxy.url)
            .env(exception, "127.0.0.1,example.com")
            .ok();
        assert_eq!(proxy.heard(), [""; 0]);
    }
}

#[test]
fn each_service_may_have_an_endpoint_of_its_own() {
    let (s3, codedeploy) = (Scene::new(), Server::ready());
    for set in ["options", "environment", "config", "one option"] {
        let mut push = s3.push(&[]);
        push.env_remove("AWS_ENDPOINT_URL");
        let home = Home::new(
            &format!(
                "[default]\nservices = here\n[services here]\ns3 =\n  endpoint_url = \
                 {}\ncodedeploy =\n  endpoint_url = {}\n",
                s3.url(),
                codedeploy.url()
            ),
            "",
        );
        match set {
            "options" => {
                push.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
                    .args(["--endpoint-url", "http://127.0.0.1:9"])
                    .args(["--s3-endpoint-url", s3.url()])
                    .args(["--codedeploy-endpoint-url", codedeploy.url()]);
            }
            "environment" => {
                push.env("AWS_ENDPOINT_URL_S3", s3.url())
                    .env("AWS_ENDPOINT_URL_CODEDEPLOY", codedeploy.url());
            }
            "config" => drop(home.point(&mut push)),
            _ => {
                push.env("AWS_ENDPOINT_URL", codedeploy.url())
                    .args(["--s3-endpoint-url", s3.url()]);
            }
        }
        s3.forget();
        codedeploy.forget();
        push.ok();
        let (to_s3, to_codedeploy) = (s3.requests(), codedeploy.requests());
        assert!(!to_s3.is_empty() && !to_codedeploy.is_empty(), "{set}");
        for request in to_s3 {
            assert_eq!(request.header("x-amz-target"), None, "{request:?}");
            // The bucket is in the path: this host has no others below it.
            assert!(request.target.starts_with("/bucket"), "{request:?}");
        }
        for request in to_codedeploy {
            assert!(request.header("x-amz-target").is_some(), "{request:?}");
        }
    }
    for bad in ["localhost:9000", "ftp://x", "http://"] {
        let done = s3.push(&["--s3-endpoint-url", bad]).fails(252);
        done.says("is not an endpoint");
    }
    s3.push(&["--s3-endpoint-url", ""]).fails(252);
}

#[test]
fn with_no_sign_request_nothing_is_signed() {
    let scene = Scene::new();
    let mut push = bare_push(&scene);
    push.env("AWS_REGION", "us-east-1").arg("--no-sign-request");
    push.ok();
    assert!(scene.requests().len() >= 4);
    for request in scene.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
}

#[test]
fn a_ca_bundle_is_what_is_trusted() {
    let scene = Scene::new();
    let tls = Tls::before(&scene);
    let push = || {
        let mut push = scene.push(&["--max-attempts", "1"]);
        push.env("AWS_ENDPOINT_URL", &tls.url);
        push.env("AWS_MAX_ATTEMPTS", "1");
        push
    };
    push().fails(255).says("UnknownIssuer");

    let bundle = authority();
    let config = format!("[default]\nca_bundle = {}\n", bundle.display());
    push().arg("--ca-bundle").arg(&bundle).ok();
    push().env("AWS_CA_BUNDLE", &bundle).ok();
    Home::new(&config, "").point(&mut push()).ok();
    push().arg("--no-verify-ssl").ok();
    // The option comes before the variable.
    let missing = scene.tree.path().join("missing.pem");
    let mut both = push();
    both.arg("--ca-bundle").arg(&bundle);
    both.env("AWS_CA_BUNDLE", &missing).ok();

    let done = push().env("AWS_CA_BUNDLE", &missing).fails(255);
    done.says("cannot read the CA bundle").says("missing.pem");
    let appspec = scene.tree.path().join("appspec.yml");
    let done = push().arg("--ca-bundle").arg(appspec).fails(255);
    done.says("has no certificate in it");
}

#[test]
fn an_answer_is_waited_for_no_longer_than_the_read_timeout() {
    let scene = Scene::new();
    let never = Fault::Stall(When::BeforeBody);
    scene.on(Operation::PutObject, .., never);
    let mut push = scene.push(&["--cli-read-timeout", "1", "--max-attempts", "1"]);
    let done = push.env("AWS_MAX_ATTEMPTS", "1").fails(255);
    done.says("no answer to PutObject").says("timeout");
}

/// A push that makes one attempt.
fn short_push(scene: &Scene) -> Command {
    let mut push = scene.push(&["--max-attempts", "1"]);
    push.env("AWS_MAX_ATTEMPTS", "1");
    push
}

#[test]
fn a_page_of_a_proxy_is_reported_by_its_status() {
    let scene = Scene::new();
    for (status, code) in [
        ("407 Proxy Authentication Required", "(407)"),
        ("403 Forbidden", "(403)"),
        ("302 Found", "(status 302)"),
        ("503 Service Unavailable", "(503)"),
        ("200 OK", "(status 200)"),
    ] {
        let proxy = Listener::showing(status);
        let done = short_push(&scene).env("HTTP_PROXY", &proxy.url).fails(255);
        done.says(code).says("not from the service");
        done.is_silent_about("Unknown").is_silent_about("OK: ");
        let mut register = scene.hoist(&["register", "--application-name", "App"]);
        if code == "(503)" {
            // It may be another answer later, so the request is repeated.
            continue;
        }
        register.args(["--s3-location", "s3://bucket/key.zip"]);
        let done = register.env("HTTP_PROXY", &proxy.url).done();
        done.says(code).says("not from the service");
        done.is_silent_about("Unknown");
    }
    // An answer of a service without a reason.
    let service = Listener::answering("403 Forbidden", "");
    let done = short_push(&scene)
        .env("AWS_ENDPOINT_URL", &service.url)
        .fails(255);
    done.says("(403)").is_silent_about("Unknown");
}

#[test]
fn a_tunnel_that_a_proxy_refuses_is_reported_with_proxy_and_host() {
    let scene = Scene::new();
    for (status, advice) in [
        (
            "407 Proxy Authentication Required",
            "user name and password",
        ),
        ("403 Forbidden", "NO_PROXY"),
        ("503 Service Unavailable", ""),
    ] {
        let proxy = Listener::showing(status);
        let done = push_to_amazon(&scene)
            .env("HTTPS_PROXY", &proxy.url)
            .fails(255);
        done.says(&format!(
            "the proxy {} (HTTPS_PROXY) answers {status:?}",
            proxy.url
        ));
        done.says("amazonaws.com:443").says(advice);
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_named_with_what_to_do() {
    let scene = Scene::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let to = |url: &str| {
        let mut push = short_push(&scene);
        push.env("AWS_ENDPOINT_URL", url);
        push
    };
    let done = to(&format!("http://{closed}")).fails(255);
    done.says(&format!("cannot connect to {closed}: Connection refused"))
        .says("check the address");
    let done = to("http://no-such-host.invalid").fails(255);
    done.says("cannot find the address of no-such-host.invalid:80")
        .says("check the region, the endpoint");
    let plain = scene.url().replace("http://", "https://");
    let done = to(&plain).fails(255);
    done.says("no TLS connection to 127.0.0.1:");
    let done = short_push(&scene)
        .env("HTTP_PROXY", format!("http://me:secret@{closed}"))
        .fails(255);
    done.says(&format!(
        "cannot connect to the proxy http://{closed} (HTTP_PROXY)"
    ))
    .is_silent_about("secret");
    // A listener that never accepts TLS.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let done = to(&url).args(["--cli-connect-timeout", "1"]).fails(255);
    done.says("timeout: no connection to 127.0.0.1:");
}

#[test]
fn a_variable_that_names_no_proxy_is_reported_at_once_and_only_if_it_is_used() {
    let scene = Scene::new();
    for odd in [
        "socks5://127.0.0.1:1080",
        "http://",
        "http://me:pa#ss@p",
        "\"http://p\"",
        "p:x",
    ] {
        let mut push = scene.push(&[]);
        let done = push.env("HTTP_PROXY", odd).fails(255);
        done.says("HTTP_PROXY is not the address of an HTTP proxy");
        done.is_silent_about("pa#ss");
        scene.push(&[]).env("HTTPS_PROXY", odd).ok();
        scene
            .push(&[])
            .env("ALL_PROXY", odd)
            .env("all_proxy", odd)
            .ok();
    }
}

#[test]
fn a_proxy_is_told_the_name_and_the_password_in_its_address() {
    let scene = Scene::new();
    let proxy = Listener::proxy();
    let with_user = proxy.url.replace("http://", "http://me:a%40b@");
    let sent = "proxy-authorization: basic bwu6yubi";
    let told = |proxy: &Listener| {
        let heard = proxy.heard().join("\n").to_ascii_lowercase();
        assert!(heard.contains(sent), "{heard}");
    };
    short_push(&scene).env("HTTP_PROXY", &with_user).fails(255);
    told(&proxy);
    let proxy = Listener::proxy();
    let with_user = proxy.url.replace("http://", "http://me:a%40b@");
    push_to_amazon(&scene)
        .env("HTTPS_PROXY", &with_user)
        .fails(255);
    told(&proxy);
}

#[test]
fn a_push_goes_through_a_tunnel_of_a_proxy_with_and_without_tls() {
    let scene = Scene::new();
    let tls = Tls::before(&scene);
    let proxy = Listener::tunnels();
    let over_tls = Tls::before_url(&proxy.url);
    for url in [&proxy.url, &over_tls.url] {
        let mut push = scene.push(&[]);
        push.env("AWS_ENDPOINT_URL", &tls.url)
            .env("AWS_CA_BUNDLE", authority())
            .env("HTTPS_PROXY", url);
        push.ok();
        assert_eq!(proxy.hosts(), ["localhost"]);
    }
}

#[test]
fn a_ca_bundle_comes_from_where_the_aws_cli_takes_it() {
    let scene = Scene::new();
    let tls = Tls::before(&scene);
    let mut push = scene.push(&[]);
    push.env("AWS_ENDPOINT_URL", &tls.url)
        .env("REQUESTS_CA_BUNDLE", authority());
    push.ok();
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(authority(), home.path().join("ca.pem")).unwrap();
    let mut push = scene.push(&[]);
    push.env("AWS_ENDPOINT_URL", &tls.url)
        .env("HOME", home.path())
        .env("AWS_CA_BUNDLE", "~/ca.pem");
    push.ok();
    let mut push = short_push(&scene);
    push.env("AWS_ENDPOINT_URL", &tls.url)
        .env("AWS_CA_BUNDLE", home.path());
    push.fails(255).says("cannot read the CA bundle");
}

#[test]
fn a_metadata_service_that_refuses_means_that_there_are_no_credentials() {
    let scene = Scene::new();
    let metadata = Listener::answering("403 Forbidden", "");
    let mut push = bare_push(&scene);
    push.env("AWS_REGION", "us-east-1")
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url);
    let done = push.fails(255);
    done.says("Unable to locate credentials")
        .says("aws configure");
    assert!(!metadata.heard().is_empty());
}

#[test]
fn a_server_in_this_process_is_reached_without_any_setting_of_the_machine() {
    let proxy = Listener::proxy();
    let broken = Home::new(
        "[default\nregion = elsewhere\n",
        "not a file of the AWS CLI",
    );
    let base = |scene: &Scene, is_bench: bool| {
        let local = tempfile::tempdir().unwrap();
        let mut command = if is_bench {
            let mut bench = hoist();
            bench.args(["bench", "--sink", "local", "--source"]);
            bench.arg(scene.tree.path());
            bench
        } else {
            let mut push = bare(scene.push(&["--local"]));
            push.arg(local.path());
            push
        };
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, &proxy.url);
        }
        (command, local)
    };
    let scene = Scene::new();
    for is_bench in [false, true] {
        for variables in [
            &[][..],
            &[("AWS_PROFILE", "elsewhere")],
            &[("AWS_DEFAULT_PROFILE", "elsewhere")],
            &[
                ("AWS_CA_BUNDLE", "/missing.pem"),
                ("REQUESTS_CA_BUNDLE", "/missing"),
            ],
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            &[("AWS_RETRY_MODE", "bogus"), ("AWS_MAX_ATTEMPTS", "0")],
            &[
                ("AWS_ACCESS_KEY_ID", "AKIA\r\n"),
                ("AWS_SECRET_ACCESS_KEY", "s\n"),
            ],
            &[("AWS_REGION", "\"eu west\""), ("AWS_DEFAULT_REGION", "")],
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
                ("AWS_ENDPOINT_URL_S3", "x"),
            ],
            &[("HOME", "/dev/null/none")],
            &[
                ("AWS_CONFIG_FILE", "/proc/1/mem"),
                ("NO_PROXY", "elsewhere"),
            ],
        ] {
            let (mut command, _local) = base(&scene, is_bench);
            command.envs(variables.iter().copied()).ok();
        }
        let (mut command, _local) = base(&scene, is_bench);
        command.env_remove("HOME").ok();
        let (mut command, _local) = base(&scene, is_bench);
        broken.point(&mut command).ok();
    }
    assert_eq!(proxy.heard(), [""; 0]);
}

#[test]
fn a_bucket_is_in_the_name_of_the_host_if_the_profile_says_so() {
    let scene = Scene::new();
    for (style, is_in_host) in [("virtual", true), ("path", false), ("auto", false)] {
        let home = Home::new(
            &format!("[default]\nregion = us-east-1\ns3 =\n  addressing_style = {style}\n"),
            "",
        );
        scene.forget();
        let mut push = scene.push(&[]);
        let local = scene.url().replace("127.0.0.1", "localhost");
        home.point(&mut push).env("AWS_ENDPOINT_URL", &local).ok();
        let requests = scene.requests();
        let to_s3 = requests
            .iter()
            .filter(|request| request.header("x-amz-target").is_none());
        for request in to_s3 {
            let host = request.header("host").unwrap();
            assert_eq!(
                host.starts_with("bucket."),
                is_in_host,
                "{style} {request:?}"
            );
        }
        // Amazon's buckets are in the name of the host, unless the profile says otherwise.
        let mut push = push_to_amazon(&scene);
        let expected = match style {
            "path" => "s3.us-east-1.amazonaws.com",
            _ => "bucket.s3.us-east-1.amazonaws.com",
        };
        assert!(
            hosts(home.point(&mut push)).contains(&expected.to_owned()),
            "{style}"
        );
    }
}

#[test]
fn a_given_endpoint_comes_before_fips_dual_stack_and_configured_endpoints() {
    let scene = Scene::new();
    let variables = [
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ];
    scene.push(&[]).envs(variables).ok();
    // Endpoints that are configured can be ignored; those on the command line cannot.
    let mut push = scene.push(&["--endpoint-url", scene.url()]);
    push.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    push.envs(variables).ok();
    let mut push = push_to_amazon(&scene);
    push.env("AWS_ENDPOINT_URL", "https://elsewhere.example")
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let amazon = [
        "bucket.s3.us-east-1.amazonaws.com",
        "codedeploy.us-east-1.amazonaws.com",
    ];
    assert_eq!(hosts(&mut push), amazon);
}

#[test]
fn a_name_that_no_bucket_of_amazon_can_have_is_refused_before_anything_is_packed() {
    let scene = Scene::new();
    let proxy = Listener::proxy();
    for bad in ["ab", "my bucket", "192.168.5.4", "a\nb", "xn--a"] {
        let url = format!("s3://{bad}/key.zip");
        let mut push = push_to_amazon(&scene);
        push.args(["--s3-location", &url, "--region", "eu-west-1"]);
        let done = push.env("HTTPS_PROXY", &proxy.url).fails(252);
        done.says(&format!("{bad:?} is not the name of a bucket of Amazon S3"));
        for command in ["verify", "clean"] {
            let mut command = scene.hoist(&[command, &url, "--region", "eu-west-1"]);
            command.env_remove("AWS_ENDPOINT_URL");
            command
                .env("HTTPS_PROXY", &proxy.url)
                .fails(252)
                .says("is not the name of a bucket");
        }
    }
    let mut push = push_to_amazon(&scene);
    push.args([
        "--s3-location",
        "s3://My_Bucket/key",
        "--region",
        "eu-west-1",
    ]);
    push.fails(252).says("upper-case");
    assert_eq!(proxy.heard(), [""; 0]);
    // Other stores have rules of their own.
    let mut push = scene.push(&["--s3-location", "s3://My_Bucket/key.zip"]);
    push.done().is_silent_about("is not the name of a bucket");
}
