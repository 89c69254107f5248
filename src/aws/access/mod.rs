//! The two AWS clients, made as the AWS CLI version 2 makes them.
//!
//! Credentials, region, profile and endpoints come from where the AWS CLI takes them (environment,
//! `~/.aws`, SSO, web identity, container and instance roles), by the SDK's own chain. This room adds
//! what the SDK leaves to its caller, or does otherwise than the AWS CLI: endpoints for one service
//! or for both, path-style addresses for endpoints that are not Amazon's, a CA bundle, a named
//! profile's credentials before those of the environment, `AWS_DEFAULT_PROFILE`, requests without a
//! signature, and time for a connection among many. `docs/access.md` has the whole list.
//!
//! It refuses to read by itself what the SDK reads.

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
use aws_sdk_s3::config::{SharedHttpClient, StalledStreamProtectionConfig};
use aws_types::service_config::ServiceConfigKey;

use self::profile::Profile;
use crate::aws::limiter::RateLimiter;
use crate::aws::renew::Renewal;
use crate::aws::wire::Wire;

/// The SDK gives up on a connection after 3.1 seconds, which is not enough when sixteen are opened
/// at once.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection that nobody uses is kept. S3 closes them some time later, and a request that
/// meets that moment is lost.
const IDLE: Duration = Duration::from_secs(15);

/// The region of an endpoint that has none.
const ANYWHERE: &str = "us-east-1";

/// What the user said about AWS. What is left out comes from the environment.
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
    /// Believe any certificate.
    pub no_verify: bool,
    /// Sign nothing, and look for no credentials.
    pub no_sign: bool,
    /// How long a connection may take to open; zero is no limit. Default: 10 seconds.
    pub connect_timeout: Option<Duration>,
    /// How long an answer may take to begin, the request's own time included; zero is no limit, and
    /// so is the default.
    pub read_timeout: Option<Duration>,
    /// The endpoint takes anybody: no credentials are looked for.
    pub anonymous: bool,
    /// Bytes a second that are sent to S3, at most.
    pub bandwidth: Option<u64>,
}

/// Clients for one push.
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the object.
    pub s3: aws_sdk_s3::Client,
    /// For the revision.
    pub codedeploy: aws_sdk_codedeploy::Client,
    /// The region of both.
    pub region: String,
    /// New credentials, when those of both have expired too early.
    pub renewal: Renewal,
    /// Whether payloads must be signed because nothing else protects them on their way.
    pub sign_payload: bool,
}

/// Why there are no clients.
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
        /// Why.
        source: io::Error,
    },
    /// The CA bundle has nothing in it to trust.
    #[error(
        "the CA bundle {} has no certificate in it; it must be a PEM file of certificate authorities",
        path.display()
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// Not the address of an endpoint.
    #[error("{0} is not an endpoint; write http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint(String),
}

/// Makes the clients. Nothing is sent to AWS, but files are read and an instance may be asked for
/// its region.
///
/// # Errors
///
/// [`Error`].
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
        Some(provider) if !access.anonymous => Renewal::new(provider, {
            let access = access.clone();
            move || {
                let (access, profile, http) = (access.clone(), profile.clone(), http.clone());
                Box::pin(async move {
                    let config = settings(&access, profile.as_deref(), &http).await;
                    config.credentials_provider()
                })
            }
        }),
        _ => Renewal::default(),
    };
    Ok(clients(access, &config, region, renewal))
}

/// Everything that is configured, as it is now.
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
    let config = unsigned(loader, access).load().await;
    match &access.profile {
        Some(name) if !access.anonymous && !access.no_sign => {
            // Named on the command line, so the environment's keys are not meant.
            let of_profile = SharedCredentialsProvider::new(profile::credentials(name, &config));
            config
                .into_builder()
                .credentials_provider(of_profile)
                .build()
        }
        _ => config,
    }
}

/// Looks for no credentials where none are wanted.
fn unsigned(loader: ConfigLoader, access: &Access) -> ConfigLoader {
    if access.anonymous {
        let credentials = Credentials::new("local", "local", None, None, "hoist");
        let loader = loader.credentials_provider(credentials);
        return match access.region {
            None => loader.region(Region::from_static(ANYWHERE)),
            Some(_) => loader,
        };
    }
    if access.no_sign {
        return loader.no_credentials();
    }
    loader
}

fn clients(access: &Access, config: &SdkConfig, region: String, renewal: Renewal) -> Clients {
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
        .interceptor(Wire);
    if let Some(url) = &access.s3_endpoint_url {
        s3 = s3.endpoint_url(url);
    }
    let mut codedeploy = aws_sdk_codedeploy::config::Builder::from(config).interceptor(Wire);
    if let Some(url) = &access.codedeploy_endpoint_url {
        codedeploy = codedeploy.endpoint_url(url);
    }
    if let Some(rate) = access.bandwidth {
        // A body that waits for its time is not a stall. Each request has its own time to end.
        let stalls = StalledStreamProtectionConfig::enabled().upload_enabled(false);
        s3 = s3
            .interceptor(RateLimiter::new(rate))
            .stalled_stream_protection(stalls.build());
    }
    if access.no_sign {
        s3 = s3.allow_no_auth();
        codedeploy = codedeploy.allow_no_auth();
    }
    Clients {
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        codedeploy: aws_sdk_codedeploy::Client::from_conf(codedeploy.build()),
        region,
        renewal,
        sign_payload: endpoint.is_some_and(|url| is_plain_and_remote(&url)),
    }
}

fn timeouts(access: &Access) -> TimeoutConfig {
    let limit = |said: Option<Duration>| said.filter(|limit| !limit.is_zero());
    let mut timeouts = TimeoutConfig::builder();
    match access.connect_timeout {
        // What is not set is set by the SDK.
        Some(Duration::ZERO) => timeouts = timeouts.disable_connect_timeout(),
        said => timeouts = timeouts.connect_timeout(said.unwrap_or(CONNECT)),
    }
    timeouts.set_read_timeout(limit(access.read_timeout));
    timeouts.build()
}

/// Refuses what would only fail later, and with a text about something else.
fn check_endpoint(url: &str) -> Result<(), Error> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']) => Ok(()),
        _ => Err(Error::Endpoint(url.to_owned())),
    }
}

/// The S3 endpoint that the environment chose, or the user for both services.
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
/// Whether what is sent there could be changed on its way.
fn is_plain_and_remote(url: &str) -> bool {
    let scheme = "http://";
    let Some(rest) = url.get(scheme.len()..).filter(|_| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    }) else {
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
    fn payloads_are_signed_only_where_nothing_else_protects_them() {
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
    fn zero_waits_for_ever() {
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
    fn an_endpoint_is_an_address() {
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
