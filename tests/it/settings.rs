//! Settings as users' machines have them: files of `~/.aws`, variables, profiles, sources of credentials.
//! What each means is compared with botocore beside the code (`src/aws/access/tests`); here are the texts,
//! the exit codes, and what is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{Done, Home, Listener, Run as _, Scene, hoist, tool};

/// A push of the scene in a home directory with these files, without any variable but the endpoint.
fn push(scene: &Scene, home: &Home, words: &[&str]) -> Command {
    let mut command = scene.push(words);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env_remove(name);
    }
    home.point(&mut command);
    command
}

/// The file of configuration of a home directory.
fn config(home: &Home) -> String {
    home.path().join(".aws/config").display().to_string()
}

const KEYS: &str = "aws_access_key_id = AK\naws_secret_access_key = secret\n";

#[track_caller]
fn says(done: &Done, text: &str) {
    assert_eq!(done.stderr, format!("hoist: {text}\n"));
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_place() {
    let scene = Scene::new();
    for (variable, value, problem) in [
        (
            "AWS_RETRY_MODE",
            "fast",
            "is \"fast\", but it must be standard, adaptive or legacy",
        ),
        (
            "AWS_MAX_ATTEMPTS",
            "0",
            "is \"0\", which is no whole number from 1",
        ),
        (
            "AWS_MAX_ATTEMPTS",
            "abc",
            "is \"abc\", which is no whole number from 1",
        ),
        (
            "AWS_MAX_ATTEMPTS",
            "",
            "is \"\", which is no whole number from 1",
        ),
        ("AWS_ACCESS_KEY_ID", "AK\n", "has a line end in it"),
        ("AWS_ACCESS_KEY_ID", "\"AK\"", "has quotes around it"),
        ("AWS_SECRET_ACCESS_KEY", "secret\r", "has a line end in it"),
        ("AWS_SESSION_TOKEN", "a b", "has a blank in it"),
        (
            "AWS_REGION",
            "us-east-1\r\n",
            "is \"us-east-1\\r\\n\", which is no region, such as eu-west-1",
        ),
        (
            "AWS_REGION",
            "",
            "is \"\", which is no region, such as eu-west-1",
        ),
        (
            "AWS_REGION",
            "us east 1",
            "is \"us east 1\", which is no region, such as eu-west-1",
        ),
        (
            "SMITHY_CLIENT_SDK_CUSTOM_PARTITION",
            "/nonexistent",
            "is set, which is for tests of the SDK: unset it",
        ),
    ] {
        let mut command = scene.push(&[]);
        let done = command.env(variable, value).fails(255);
        says(&done, &format!("{variable} {problem}"));
    }
    // All commands that reach AWS read the same settings.
    for words in [
        &[
            "register",
            "--application-name",
            "A",
            "--s3-location",
            "s3://b/k",
        ][..],
        &["verify", "s3://b/k"],
        &["clean", "s3://b"],
    ] {
        let mut command = scene.hoist(words);
        let done = command.env("AWS_RETRY_MODE", "fast").fails(255);
        done.says("AWS_RETRY_MODE is \"fast\"");
    }
    assert_eq!(scene.requests().len(), 0);
}

#[test]
fn a_value_in_a_file_is_named_with_its_profile_and_its_file() {
    let scene = Scene::new();
    for (line, problem) in [
        (
            "retry_mode = fast",
            "is \"fast\", but it must be standard, adaptive or legacy",
        ),
        (
            "max_attempts = 0",
            "is \"0\", which is no whole number from 1",
        ),
        (
            "region = \"eu-west-1\"",
            "is \"\\\"eu-west-1\\\"\", which is no region, such as eu-west-1",
        ),
        ("aws_access_key_id = A\n  K", "has a line end in it"),
    ] {
        let home = Home::new(&format!("[profile dev]\n{line}\n"), "");
        let mut command = scene.push(&["--profile", "dev"]);
        if line.starts_with("region") {
            command
                .env_remove("AWS_REGION")
                .env_remove("AWS_DEFAULT_REGION");
        }
        if line.starts_with("aws_") {
            home.file(
                ".aws/config",
                &format!("[profile dev]\n{line}\naws_secret_access_key=s\n"),
            );
        }
        let done = home.point(&mut command).fails(255);
        let (key, _) = line.split_once(" = ").unwrap();
        let place = format!("{key} of the profile dev in {}", config(&home));
        says(&done, &format!("{place} {problem}"));
    }
}

#[test]
fn no_message_shows_a_secret_that_an_indented_line_or_an_address_holds() {
    let scene = Scene::new();
    for key in [
        "region",
        "source_profile",
        "endpoint_url",
        "ca_bundle",
        "role_arn",
        "retry_mode",
    ] {
        for between in ["", " aws_access_key_id = AK\n"] {
            let text = format!("[default]\n{key} = x\n{between} aws_secret_access_key = hunter2\n");
            let home = Home::new(&text, "");
            let done = push(&scene, &home, &[]).fails(255);
            let problem = "goes on in an indented line that looks like a setting of its own";
            assert!(
                done.stderr.contains(problem) && done.stderr.contains(key),
                "{done}"
            );
            assert!(!done.stderr.contains("hunter2"), "{done}");
        }
    }
    for url in [
        "http://u:hunter2@127.0.0.1:99999",
        "ftp://u:hunter2@x",
        "http://u:hunter2@a b",
        "http://127.0.0.1:1/p?X-Amz-Signature=hunter2",
    ] {
        let mut by_variable = scene.push(&[]);
        let done = by_variable.env("AWS_ENDPOINT_URL", url).fails(255);
        assert!(done.stderr.contains("AWS_ENDPOINT_URL is \""), "{done}");
        assert!(!done.stderr.contains("hunter2"), "{done}");
        let done = scene.push(&["--endpoint-url", url]).fails(252);
        assert!(!done.stderr.contains("hunter2"), "{done}");
    }
}

#[test]
fn the_retry_mode_legacy_works() {
    let scene = Scene::new();
    let home = Home::new("[default]\nretry_mode = legacy\nregion: us-east-1\n", "");
    home.file(".aws/credentials", &format!("[default]\n{KEYS}"));
    push(&scene, &home, &[]).ok();
    push(&scene, &home, &[])
        .env("AWS_RETRY_MODE", "legacy")
        .ok();
}

#[test]
fn files_are_read_as_pythons_parser_reads_them() {
    let scene = Scene::new();
    let files = "\
# a comment
[default]
  # an indented comment
  region: us-east-1
  s3 =
      addressing_style = path
      max_concurrent_requests = 20
[profile \"my dev\"]
  REGION = us-east-1
  aws_access_key_id: AK
  aws_secret_access_key: secret # no comment
[profile team#1]
\tregion = us-east-1
\taws_access_key_id = AK
\taws_secret_access_key = secret
[profile a(eu)=é]
region = us-east-1
aws_access_key_id = AK
aws_secret_access_key = secret
";
    let home = Home::new(files, &format!("[default]\r\n  {KEYS}"));
    for profile in [None, Some("my dev"), Some("team#1"), Some("a(eu)=é")] {
        let words: Vec<&str> = profile
            .into_iter()
            .flat_map(|name| ["--profile", name])
            .collect();
        push(&scene, &home, &words).ok();
    }
}

#[test]
fn a_file_that_cannot_be_parsed_is_named_with_the_line() {
    let scene = Scene::new();
    for (text, line, problem) in [
        (
            "region = x\n",
            1,
            "a section must come first, such as [default]",
        ),
        ("[default]\nhello\n", 2, "there is neither = nor : in it"),
        (
            "[default]\n[default]\n",
            2,
            "the section [default] is there twice",
        ),
    ] {
        let home = Home::new(text, "");
        let done = push(&scene, &home, &[]).fails(255);
        let path = config(&home);
        says(
            &done,
            &format!("Unable to parse config file: {path}: line {line}: {problem}"),
        );
    }
}

#[test]
fn an_endpoint_in_the_process_reads_no_setting_of_the_machine() {
    let scene = Scene::new();
    let home = Home::new("this is no configuration", "[x\n");
    let proxy = Listener::proxy();
    let dir = scene.tree.path().with_extension("local");
    let mut command = hoist();
    home.point(&mut command)
        .args([
            "push",
            "--application-name",
            "App",
            "--s3-location",
            "s3://bucket/key.zip",
        ])
        .args(["--source".as_ref(), scene.tree.path().as_os_str()])
        .args(["--local".as_ref(), dir.as_os_str()]);
    for (name, value) in [
        ("HTTP_PROXY", proxy.url.as_str()),
        ("http_proxy", &proxy.url),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("AWS_PROFILE", "nowhere"),
        ("AWS_CA_BUNDLE", "/nonexistent"),
        ("REQUESTS_CA_BUNDLE", "/nonexistent"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_RETRY_MODE", "fast"),
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_REGION", "no region"),
        ("AWS_ACCESS_KEY_ID", "AK\n"),
        ("AWS_ENDPOINT_URL", "nowhere"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "never"),
    ] {
        command.env(name, value);
    }
    command.ok();
    assert_eq!(proxy.heard(), [""; 0]);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_is_missing_for_a_role_is_named_as_the_aws_cli_names_it() {
    let scene = Scene::new();
    let role = "role_arn = arn:aws:iam::000000000000:role/deploy\n";
    for (files, text) in [
        (
            format!("[profile role]\n{role}source_profile = gone\n"),
            "The source_profile \"gone\" referenced in the profile \"role\" does not exist.",
        ),
        (
            format!("[profile role]\n{role}source_profile = other\n[profile other]\nregion = x\n"),
            "The source profile \"other\" must have credentials.",
        ),
        (
            format!(
                "[profile role]\n{role}source_profile = b\n[profile b]\n{role}source_profile = role\n"
            ),
            "Infinite loop in credential configuration detected. Attempting to load from profile role \
             which has already been visited. Visited profiles: role, b",
        ),
        (
            "[profile role]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = r\n"
                .to_owned(),
            "The specified sso-session does not exist: \"gone\"",
        ),
    ] {
        let home = Home::new(&files, "");
        let mut command = push(
            &scene,
            &home,
            &["--profile", "role", "--region", "us-east-1"],
        );
        says(&command.fails(255), text);
    }
    let home = Home::new("[profile role]\nlogin_session = arn:x\n", "");
    let mut command = push(
        &scene,
        &home,
        &["--profile", "role", "--region", "us-east-1"],
    );
    says(
        &command.fails(255),
        "the credentials of the profile role come from `aws login`, and hoist cannot read those\n\
         hoist: give them to hoist through the environment: eval \"$(aws configure export-credentials \
         --profile role --format env)\"",
    );
}

/// Hears requests with their forms, and gives the credentials of a role.
struct Sts {
    url: String,
    heard: Arc<Mutex<String>>,
}

impl Sts {
    fn start() -> Self {
        const ANSWER: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
            <AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
            <SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
            </Credentials></AssumeRoleResult></AssumeRoleResponse>";
        Self::answering("200 OK", ANSWER)
    }

    fn refusing() -> Self {
        const ANSWER: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>not authorized</Message></Error></ErrorResponse>";
        Self::answering("403 Forbidden", ANSWER)
    }

    fn answering(status: &'static str, answer: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(client.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap_or(0) > 2 {
                    let field = line.to_ascii_lowercase();
                    if let Some(value) = field.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut form = vec![0; length];
                reader.read_exact(&mut form).unwrap();
                noted
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8(form).unwrap());
                let length = answer.len();
                let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length:");
                let _ = write!(client, "{head} {length}\r\n\r\n{answer}");
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

#[test]
fn a_code_of_an_mfa_device_is_asked_for_on_the_terminal() {
    let scene = Scene::new();
    let sts = Sts::start();
    let home = with_mfa();
    // `script` gives the command a terminal, and types what it reads.
    let Some(mut script) = tool("script", &["script"]) else {
        return;
    };
    scene.make_bucket_in("west", "us-west-2");
    scene.make_application_in("App", "Server", "us-west-2");
    let west = "region=us-west-2,s3-location=s3://west/key.zip";
    let mut inner = push(&scene, &home, &["--profile", "role", "--destination", west]);
    inner.env("AWS_ENDPOINT_URL_STS", &sts.url);
    let program = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words: Vec<String> = program
        .map(|word| hoist::error::quoted(word.to_str().unwrap()))
        .collect();
    script.args(["-qec", &words.join(" "), "/dev/null"]);
    like(&mut script, &inner);
    let mut running = script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    running
        .stdin
        .take()
        .unwrap()
        .write_all(b"123456\n")
        .unwrap();
    let done = running.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{shown}");
    assert!(
        shown.contains("Enter MFA code for arn:aws:iam::000000000000:mfa/me: "),
        "{shown}"
    );
    let heard = sts.heard();
    assert!(heard.contains("TokenCode=123456"), "{heard}");
    // Once is enough, also for two destinations.
    assert_eq!(heard.matches("TokenCode").count(), 1, "{heard}");
}

/// A profile whose role needs a code.
fn with_mfa() -> Home {
    Home::new(
        "[profile role]\nregion = us-east-1\nrole_arn = arn:aws:iam::000000000000:role/deploy\n\
         source_profile = base\nmfa_serial = arn:aws:iam::000000000000:mfa/me\n",
        &format!("[base]\n{KEYS}"),
    )
}

/// Gives a command the variables of another.
fn like(command: &mut Command, other: &Command) {
    for (name, value) in other.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

#[test]
fn a_role_is_assumed_with_all_that_the_profile_says() {
    let scene = Scene::new();
    let sts = Sts::start();
    let home = Home::new(
        "[profile role]\nregion = us-east-1\nrole_arn = arn:aws:iam::000000000000:role/deploy\n\
         source_profile = base\nexternal_id = ext\nrole_session_name = me\nduration_seconds = 900\n",
        &format!("[base]\n{KEYS}"),
    );
    let mut command = push(&scene, &home, &["--profile", "role"]);
    command.env("AWS_ENDPOINT_URL_STS", &sts.url).ok();
    let heard = sts.heard();
    for part in [
        "ExternalId=ext",
        "RoleSessionName=me",
        "DurationSeconds=900",
    ] {
        assert!(heard.contains(part), "{part}: {heard}");
    }
    let requests = scene.requests();
    let signed = requests[0].header("authorization").unwrap();
    assert!(signed.contains("Credential=ROLE/"), "{signed}");
}

#[test]
fn a_session_of_sso_that_ended_says_how_to_sign_in() {
    let scene = Scene::new();
    let token = r#"{"accessToken":"t","expiresAt":"2001-01-01T00:00:00Z"}"#;
    let home = Home::with_sso("", token);
    let mut command = push(&scene, &home, &["--profile", "work", "--max-attempts", "1"]);
    command.fails(255).says("aws sso login --profile work");
}

#[test]
fn without_a_terminal_a_role_with_an_mfa_device_says_so() {
    let scene = Scene::new();
    let home = with_mfa();
    // A new session has no terminal.
    let mut command = Command::new("setsid");
    let inner = push(&scene, &home, &["--profile", "role"]);
    command
        .arg("-w")
        .arg(inner.get_program())
        .args(inner.get_args());
    like(&mut command, &inner);
    command.stdin(Stdio::null());
    let done = command.fails(255);
    done.says("needs a code of the MFA device arn:aws:iam::000000000000:mfa/me")
        .says("no terminal");
}

#[test]
fn a_credential_process_is_run_without_a_shell() {
    let scene = Scene::new();
    let json = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"s;$HOME"}"#;
    let home = Home::new("", "");
    home.file("keys.json", json);
    let path = home.path().join("keys.json");
    home.file(
        ".aws/config",
        &format!(
            "[default]\nregion = us-east-1\ncredential_process = cat \"{}\" # ;\n",
            path.display()
        ),
    );
    // `#` and `;` are arguments, so `cat` fails.
    let done = push(&scene, &home, &["--max-attempts", "1"]).fails(255);
    done.says("No such file");
    home.file(
        ".aws/config",
        &format!(
            "[default]\nregion = us-east-1\ncredential_process = cat '{}'\n",
            path.display()
        ),
    );
    push(&scene, &home, &[]).ok();
}

/// What would be wrong again is no reason to run the program again.
#[test]
fn a_credential_process_that_writes_no_usable_credentials_runs_once() {
    let scene = Scene::new();
    let home = Home::new(
        "[default]\nregion = us-east-1\ncredential_process = sh program\n[profile gone]\n\
         region = us-east-1\ncredential_process = no-such-program x\n",
        "",
    );
    let old = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"s","Expiration":"2001-01-01T00:00:00Z"}"#;
    for (written, said) in [
        (
            "<html>",
            "the program of credential_process wrote no JSON object",
        ),
        (r#"{"Version":1}"#, "wrote no AccessKeyId"),
        (
            old,
            "wrote credentials that have expired, at 2001-01-01T00:00:00Z",
        ),
        (
            r#"{"Version":1,"AccessKeyId":"A K","SecretAccessKey":"s"}"#,
            "the access key id that was given has a blank in it",
        ),
    ] {
        home.file("program", &format!("echo >>runs\necho '{written}'\n"));
        home.file("runs", "");
        let mut command = push(&scene, &home, &["--no-preflight"]);
        let done = command.current_dir(home.path()).fails(255);
        done.says(said).says("cannot get usable credentials: ");
        done.is_silent_about("an error occurred");
        let runs = std::fs::read_to_string(home.path().join("runs")).unwrap();
        assert_eq!(runs.lines().count(), 1, "{written}");
    }
    let mut command = push(&scene, &home, &["--no-preflight", "--profile", "gone"]);
    let done = command.current_dir(home.path()).fails(255);
    done.says("the program of credential_process failed with exit status: 127: ")
        .says("no-such-program");
}

/// The retries of a failure that may pass take seconds.
#[test]
fn a_role_that_sts_refuses_and_a_session_of_sso_that_ended_are_not_tried_again() {
    let scene = Scene::new();
    let sts = Sts::refusing();
    let home = Home::new(
        "[profile role]\nregion = us-east-1\nrole_arn = arn:aws:iam::000000000000:role/deploy\n\
         source_profile = base\n",
        &format!("[base]\n{KEYS}"),
    );
    let mut command = push(&scene, &home, &["--no-preflight", "--profile", "role"]);
    let done = command.env("AWS_ENDPOINT_URL_STS", &sts.url).fails(255);
    done.says("AccessDenied");
    assert_eq!(sts.heard().matches("Action=AssumeRole").count(), 1);

    let token = r#"{"accessToken":"t","expiresAt":"2001-01-01T00:00:00Z"}"#;
    let home = Home::with_sso("", token);
    let mut command = push(&scene, &home, &["--no-preflight", "--profile", "work"]);
    let done = command.fails(255);
    done.says("cannot get usable credentials: the session of SSO may have ended");
}

#[test]
fn without_home_the_home_directory_is_that_of_the_user_database() {
    let scene = Scene::new();
    let mut command = scene.push(&[]);
    command
        .env_remove("HOME")
        .env("AWS_CA_BUNDLE", "~/no such bundle.pem");
    let done = command.fails(255);
    // Wherever that is, it is known.
    done.says("cannot read the CA bundle /")
        .says("/no such bundle.pem: No such file");
    done.is_silent_about("~");
}
