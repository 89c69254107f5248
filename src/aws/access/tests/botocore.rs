//! botocore and hoist read the same settings, row by row: profile, region, credentials, endpoints, proxies and
//! CA bundle are those of botocore, but where hoist differs on purpose.
//!
//! Nothing is sent. botocore's half is in `botocore.py`, which one Python process runs for all rows.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::{Map, Value, json};

use super::super::source::{self, Source};
use super::super::*;
use super::rows::{DIFFERENT, Row, rows};
use crate::aws::s3::ObjectOptions;

/// Hears the addresses of requests, and answers none.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl HttpClient for Heard {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Heard {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.lock().unwrap().push(request.uri().to_owned());
        HttpConnectorFuture::ready(Err(ConnectorError::user("heard".into())))
    }
}

/// What hoist makes of a row.
async fn answer(row: &Row) -> Result<Value, Error> {
    let environment = Environment::given(row.variables.clone(), row.files.clone());
    let mut access = Access {
        region: row.region.clone(),
        profile: row.profile.clone(),
        endpoint_url: row.endpoint.clone(),
        ca_bundle: row.ca_bundle.clone().map(Into::into),
        attempts: Some(1),
        ..Access::default()
    };
    let profile = Profile::load(access.profile.as_deref(), &environment)?;
    let source = source::find(&environment, &profile, access.profile.is_some())?;
    if source == Source::Instance {
        settings::Instance::read(&environment, &profile)?;
    }
    access.keys = Some(match &source {
        Source::Keys(keys) => keys.clone(),
        _ => Keys {
            id: "a".into(),
            secret: "b".into(),
            token: None,
        },
    });
    let heard = Heard::default();
    let http = SharedHttpClient::new(heard.clone());
    let clients = made(&access, &environment, &profile, &http).await?;
    let asked = || {
        let url = heard.0.lock().unwrap().pop().unwrap_or_default();
        let url = url.split('?').next().unwrap_or_default().to_owned();
        url.trim_end_matches('/').to_owned()
    };
    let options = ObjectOptions::default();
    clients
        .s3
        .head_bucket("bucket", &options)
        .await
        .unwrap_err();
    let s3 = asked();
    clients.codedeploy.application("App").await.unwrap_err();
    let codedeploy = asked();
    let variable = |name: &str| environment.var(name);
    let proxies = Proxies::of(variable);
    let proxy = |url: &str| match proxies.for_address(&url.parse().unwrap()) {
        Ok(None) => None,
        Ok(Some(proxy)) => Some(proxy.uri.to_string().trim_end_matches('/').to_owned()),
        Err(_) => Some("bad".to_owned()),
    };
    let bundle = trust::bundle(&access, variable, profile.get("ca_bundle"));
    Ok(json!({
        "profile": profile.name(),
        "region": clients.region,
        "credentials": described(&source),
        "s3": s3,
        "codedeploy": codedeploy,
        "proxy_s3": proxy(&s3),
        "proxy_codedeploy": proxy(&codedeploy),
        "ca": bundle.map(|path| environment.expand(&path)),
    }))
}

/// A source of credentials, as `botocore.py` describes it.
fn described(source: &Source) -> String {
    let or_none = |text: &Option<String>| text.as_deref().unwrap_or("None").to_owned();
    match source {
        Source::Keys(keys) => format!("keys {} {} {}", keys.id, keys.secret, or_none(&keys.token)),
        Source::Process(command) => format!("process {command}"),
        Source::WebIdentity { role, token } => {
            let session = role.session.as_ref();
            let session = session.map_or_else(String::new, |name| format!(" session={name}"));
            format!("web {}{session} {}", role.arn, token.display())
        }
        Source::Sso(sso) => format!(
            "sso {} {} {} {} {}",
            or_none(&sso.session),
            sso.start_url,
            sso.region,
            sso.account,
            sso.role
        ),
        Source::Container => "container".to_owned(),
        Source::Instance => "instance".to_owned(),
        Source::Nowhere => "none".to_owned(),
        Source::Role { role, bearer } => {
            let mut text = format!("role {}", role.arn);
            let duration = role.duration.map(|seconds| seconds.to_string());
            for (name, value) in [
                ("session", &role.session),
                ("id", &role.external_id),
                ("mfa", &role.mfa),
                ("duration", &duration),
            ] {
                if let Some(value) = value {
                    write!(text, " {name}={value}").unwrap();
                }
            }
            format!("{text} by {}", described(bearer))
        }
    }
}

/// What botocore makes of the rows. None if it is not here.
fn botocore(rows: &[Row]) -> Option<Vec<Value>> {
    let is_required = std::env::var_os("HOIST_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    let python = || {
        let mut python = Command::new("python3");
        python.env("LC_ALL", "C.UTF-8");
        python
    };
    let probe = python().args(["-c", "import botocore"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        assert!(!is_required, "python3 cannot import botocore");
        eprintln!("skipped: python3 cannot import botocore");
        return None;
    }
    let mut running = python()
        .args(["-c", include_str!("botocore.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let rows: Vec<Value> = rows.iter().map(as_json).collect();
    let text = serde_json::to_vec(&rows).unwrap();
    running.stdin.take().unwrap().write_all(&text).unwrap();
    let done = running.wait_with_output().unwrap();
    assert!(done.status.success());
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

fn as_json(row: &Row) -> Value {
    let variables: Map<String, Value> = row
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let files: Map<String, Value> = row
        .files
        .iter()
        .map(|(path, contents)| (path.clone(), contents.clone().into()))
        .collect();
    json!({
        "variables": variables,
        "files": files,
        "profile": row.profile,
        "region": row.region,
        "endpoint": row.endpoint,
        "ca_bundle": row.ca_bundle,
    })
}

#[tokio::test]
async fn settings_mean_what_they_mean_to_botocore() {
    let home = tempfile::tempdir().unwrap();
    let rows = rows(home.path().to_str().unwrap());
    assert!(rows.len() >= 170, "{} rows", rows.len());
    let mut ours = Vec::new();
    for row in &rows {
        ours.push(match answer(row).await {
            Ok(answer) => answer,
            Err(error) => json!({ "refused": error.to_string() }),
        });
    }
    let Some(theirs) = botocore(&rows) else {
        return;
    };
    let (mut equal, mut on_purpose, mut wrong) = (0, Vec::new(), String::new());
    for ((row, ours), theirs) in rows.iter().zip(&ours).zip(&theirs) {
        let both_refuse = ours.get("refused").is_some() && theirs.get("refused").is_some();
        let is_equal = both_refuse || ours == theirs;
        let reason = DIFFERENT.iter().find(|(name, _)| *name == row.name);
        match (is_equal, reason) {
            (true, None) => equal += 1,
            (false, Some((name, reason))) => on_purpose.push(format!("{name}: {reason}")),
            (true, Some(_)) => writeln!(wrong, "{}: is not different", row.name).unwrap(),
            (false, None) => {
                writeln!(
                    wrong,
                    "{}:\n  hoist    {ours}\n  botocore {theirs}",
                    row.name
                )
                .unwrap();
            }
        }
    }
    println!(
        "settings compared with botocore: {}, equal: {equal}, different on purpose: {}",
        rows.len(),
        on_purpose.len()
    );
    for line in &on_purpose {
        println!("  {line}");
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(on_purpose.len(), DIFFERENT.len());
}

#[tokio::test]
async fn no_setting_panics_and_each_error_is_one_line() {
    for row in rows("/home/me") {
        if let Err(error) = answer(&row).await {
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "{}: {text:?}", row.name);
        }
    }
}
