//! Makes the clients of both services as the AWS CLI version 2 makes them.
//!
//! Credentials, region, profile and endpoints come from where the AWS CLI takes them (environment,
//! `~/.aws`, SSO, web identity, container and instance roles), through the SDK's own chain. This module
//! adds what the SDK leaves to its caller, or does differently than the AWS CLI: endpoints for one service
//! or for both, path-style addresses for endpoints that are not Amazon's, a CA bundle, a named profile's
//! credentials before those of the environment, `AWS_DEFAULT_PROFILE`, requests without a signature, and
//! a longer time to connect. `docs/access.md` has the whole list. What the SDK reads is not read here
//! again.

mod environment;
mod profile;
mod trust;
mod unverified;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{SharedHttpClient, StalledStreamProtectionConfig};
use aws_types::service_config::ServiceConfigKey;

pub use self::environment::Environment;
use self::profile::Profile;
use crate::aws::call::{Caller, DEFAULT_ATTEMPTS, Timing};
use crate::aws::codedeploy::CodeDeploy;
use crate::aws::credentials::CredentialRefresh;
use crate::aws::limiter::RateLimiter;
use crate::aws::s3::S3;
use crate::aws::wire::Wire;

/// How long a connection may take to open. The SDK's 3.1 seconds are too short when sixteen connections
/// are opened at once.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. S3 closes it some time later, and a request that is sent at that
/// moment is lost.
const IDLE: Duration = Duration::from_secs(15);

/// The region of an endpoint that has no regions.
const NO_REGION: &str = "us-east-1";

/// How AWS is reached. What is not set comes from where the AWS CLI takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The region of both services.
    pub region: Option<String>,
    /// The profile in `~/.aws` to use. Its credentials come before those of the environment.
    pub profile: Option<String>,
    /// The endpoint of both services.
    pub endpoint_url: Option<String>,
    /// The endpoint of S3, before that of both.
    pub s3_endpoint_url: Option<String>,
    /// The endpoint of CodeDeploy, before that of both.
    pub codedeploy_endpoint_url: Option<String>,
    /// The only certificate authorities to trust, in a PEM file.
    pub ca_bundle: Option<PathBuf>,
    /// Whether any TLS certificate is accepted, which is insecure.
    pub no_verify: bool,
    /// Whether requests are not signed, and no credentials are looked for.
    pub no_sign: bool,
    /// How long a connection may take to open; zero means no limit. Default: 10 seconds.
    pub connect_timeout: Option<Duration>,
    /// How long an answer may take to begin, including the time to send the request. Zero, and the
    /// default, mean no limit.
    pub read_timeout: Option<Duration>,
    /// Whether the endpoint accepts any credentials, so that none are looked for.
    pub anonymous: bool,
    /// Credentials that the program gives. None: they are looked for as the AWS CLI does.
    pub keys: Option<Keys>,
    /// Bytes per second that are sent to S3, at most.
    pub bandwidth: Option<u64>,
    /// How often each request is made, at most. Default: [`DEFAULT_ATTEMPTS`].
    pub attempts: Option<u32>,
    /// How long requests are paused and waited for.
    pub timing: Timing,
}

/// Credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token, if the credentials are temporary.
    pub token: Option<String>,
}

/// Both services, as every command calls them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon S3, or another store that speaks its protocol.
    pub s3: S3,
    /// AWS CodeDeploy.
    pub codedeploy: CodeDeploy,
    /// The region of both.
    pub region: String,
}

/// Why the clients cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No region is configured. The text is that of the AWS CLI.
    #[error(
        "You must specify a region. You can also configure your region by running \"aws configure\"."
    )]
    NoRegion,
    /// The profile is in neither of the two files. The text is that of the AWS CLI.
    #[error("The config profile ({0}) could not be found")]
    NoProfile(String),
    /// The files of `~/.aws` cannot be read.
    #[error("cannot read the AWS configuration: {0}")]
    Files(String),
    /// The CA bundle cannot be read.
    #[error("cannot read the CA bundle {}: {source}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The CA bundle holds no certificate that can be trusted.
    #[error(
        "the CA bundle {} has no certificate in it; it must be a PEM file of certificate authorities",
        path.display()
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// A text is not the address of an endpoint.
    #[error("{0} is not an endpoint; write http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint(String),
}

/// Makes the clients. No request is sent to AWS, but files are read, and the instance that this runs on may
/// be asked for its region.
pub async fn connect(access: &Access) -> Result<Clients, Error> {
    for url in [
        &access.endpoint_url,
        &access.s3_endpoint_url,
        &access.codedeploy_endpoint_url,
    ] {
        url.as_deref().map_or(Ok(()), check_endpoint)?;
    }
    let profile = Profile::load(access.profile.as_deref()).await?;
    let http = match (access.no_verify, trust::bundle(access, &profile)) {
        (true, _) => unverified::client(),
        (false, path) => trust::client(path.as_deref())?,
    };
    let profile = profile.name().map(str::to_owned);
    let config = settings(access, profile.as_deref(), &http).await;
    let region = config.region().ok_or(Error::NoRegion)?.to_string();
    let renewal = match config.credentials_provider() {
        Some(provider) if !access.anonymous && access.keys.is_none() => {
            CredentialRefresh::new(provider, {
                let access = access.clone();
                move || {
                    let (access, profile, http) = (access.clone(), profile.clone(), http.clone());
                    Box::pin(async move {
                        let config = settings(&access, profile.as_deref(), &http).await;
                        config.credentials_provider()
                    })
                }
            })
        }
        _ => CredentialRefresh::default(),
    };
    Ok(clients(access, &config, region, renewal))
}

/// The configuration, as files and environment have it now.
async fn settings(access: &Access, profile: Option<&str>, http: &SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts(access))
        .http_client(http.clone());
    if let Ok(name) = AppName::new(concat!("hoist-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(name) = profile {
        loader = loader.profile_name(name);
    }
    if let Some(url) = &access.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = choose_credentials(loader, access).load().await;
    match &access.profile {
        Some(name) if !access.anonymous && !access.no_sign && access.keys.is_none() => {
            // The user names the profile, so the keys in the environment are ignored.
            let of_profile = SharedCredentialsProvider::new(profile::credentials(name, &config));
            config
                .into_builder()
                .credentials_provider(of_profile)
                .build()
        }
        _ => config,
    }
}

/// Chooses credentials where they are not to be looked for.
fn choose_credentials(loader: ConfigLoader, access: &Access) -> ConfigLoader {
    if let Some(Keys { id, secret, token }) = &access.keys {
        let keys = Credentials::new(id, secret, token.clone(), None, "hoist");
        return loader.credentials_provider(keys);
    }
    if access.anonymous {
        let credentials = Credentials::new("local", "local", None, None, "hoist");
        let loader = loader.credentials_provider(credentials);
        return match access.region {
            None => loader.region(Region::from_static(NO_REGION)),
            Some(_) => loader,
        };
    }
    if access.no_sign {
        return loader.no_credentials();
    }
    loader
}

fn clients(
    access: &Access,
    config: &SdkConfig,
    region: String,
    renewal: CredentialRefresh,
) -> Clients {
    let renewed = renewal.provider().map(|provider| {
        let config = config.to_builder().identity_cache(renewal.cache());
        config.credentials_provider(provider).build()
    });
    let config = renewed.as_ref().unwrap_or(config);
    let endpoint = access
        .s3_endpoint_url
        .clone()
        .or_else(|| s3_endpoint(access, config));
    let mut s3 = aws_sdk_s3::config::Builder::from(config)
        // Buckets of other stores have no host name of their own.
        .force_path_style(endpoint.is_some())
        // The caller repeats requests.
        .retry_config(RetryConfig::disabled())
        .interceptor(Wire);
    if let Some(url) = &access.s3_endpoint_url {
        s3 = s3.endpoint_url(url);
    }
    let mut codedeploy = aws_sdk_codedeploy::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .interceptor(Wire);
    if let Some(url) = &access.codedeploy_endpoint_url {
        codedeploy = codedeploy.endpoint_url(url);
    }
    if let Some(rate) = access.bandwidth {
        // A body that the limiter delays is not stalled. Each attempt has a deadline in any case.
        let stalls = StalledStreamProtectionConfig::enabled().upload_enabled(false);
        s3 = s3
            .interceptor(RateLimiter::new(rate))
            .stalled_stream_protection(stalls.build());
    }
    if access.no_sign {
        s3 = s3.allow_no_auth();
        codedeploy = codedeploy.allow_no_auth();
    }
    let attempts = access.attempts.unwrap_or(DEFAULT_ATTEMPTS);
    let caller = Caller::new(attempts, access.timing, access.bandwidth, renewal);
    let sign_payload = endpoint.is_some_and(|url| is_plain_and_remote(&url));
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let client = aws_sdk_codedeploy::Client::from_conf(codedeploy.build());
    Clients {
        codedeploy: CodeDeploy::new(client, caller.independent()),
        s3: S3::new(s3, caller, sign_payload),
        region,
    }
}

fn timeouts(access: &Access) -> TimeoutConfig {
    let limit = |said: Option<Duration>| said.filter(|limit| !limit.is_zero());
    let mut timeouts = TimeoutConfig::builder();
    match access.connect_timeout {
        // If nothing is set, the SDK uses its own limit.
        Some(Duration::ZERO) => timeouts = timeouts.disable_connect_timeout(),
        said => timeouts = timeouts.connect_timeout(said.unwrap_or(CONNECT)),
    }
    timeouts.set_read_timeout(limit(access.read_timeout));
    timeouts.build()
}

/// Refuses a URL that would fail later with a misleading text.
fn check_endpoint(url: &str) -> Result<(), Error> {
    let rest = after_scheme(url, "http://").or_else(|| after_scheme(url, "https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']) => Ok(()),
        _ => Err(Error::Endpoint(url.to_owned())),
    }
}

/// What follows a scheme, in upper or lower case.
fn after_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The S3 endpoint that the environment names, or that the user chose for both services.
fn s3_endpoint(access: &Access, config: &SdkConfig) -> Option<String> {
    if access.endpoint_url.is_some() {
        return access.endpoint_url.clone();
    }
    let of_service = config.service_config().and_then(|environment| {
        let key = ServiceConfigKey::builder()
            .service_id("S3")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        environment.load_config(key)
    });
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Whether bytes that are sent to this URL could be changed on their way.
fn is_plain_and_remote(url: &str) -> bool {
    let Some(rest) = after_scheme(url, "http://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let loopback = host.parse::<IpAddr>().map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    );
    !loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_signed_only_over_plain_http_to_another_machine() {
        for url in [
            "https://s3.example.com",
            "http://127.0.0.1:9000",
            "http://127.8.8.8",
            "http://[::1]:9000/path",
            "http://localhost",
            "HTTP://LocalHost:1/x",
        ] {
            assert!(!is_plain_and_remote(url), "{url}");
        }
        for url in [
            "http://minio:9000",
            "http://10.0.0.1",
            "Http://[fe80::1]:1",
            "http://localhost.evil/",
        ] {
            assert!(is_plain_and_remote(url), "{url}");
        }
    }

    #[test]
    fn a_timeout_of_zero_means_no_limit() {
        let of = |connect: Option<u64>, read: Option<u64>| {
            let timeouts = timeouts(&Access {
                connect_timeout: connect.map(Duration::from_secs),
                read_timeout: read.map(Duration::from_secs),
                ..Access::default()
            });
            (timeouts.connect_timeout(), timeouts.read_timeout())
        };
        assert_eq!(of(None, None), (Some(CONNECT), None));
        assert_eq!(of(Some(0), Some(0)), (None, None));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(of(Some(60), Some(5)), (seconds(60), seconds(5)));
    }

    #[test]
    fn an_endpoint_needs_a_scheme_and_a_host() {
        for url in [
            "http://h",
            "HTTPS://h:1/p",
            "http://[::1]:9",
            "https://127.0.0.1",
        ] {
            assert!(check_endpoint(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "h",
            "h:1",
            "ftp://h",
            "http://",
            "http:///p",
            "http://:1",
            "é://",
        ] {
            assert!(check_endpoint(url).is_err(), "{url}");
        }
    }
}
