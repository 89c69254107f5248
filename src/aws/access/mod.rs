//! Makes the clients of both services as the AWS CLI version 2 makes them.
//!
//! Credentials, region, profile and endpoints come from where the AWS CLI takes them: environment, `~/.aws`,
//! SSO, web identity, container and instance roles. All settings are read and judged here, and the SDK is
//! given the results: it reads the files by another grammar, panics on some values, and knows fewer sources
//! than the AWS CLI. Its providers still do the requests for credentials. `docs/access.md` has the whole
//! list.

mod environment;
mod error;
mod http;
mod ini;
mod problem;
mod process;
mod profile;
mod provider;
mod proxy;
mod settings;
mod shared;
mod source;
mod trust;
mod unverified;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{SharedHttpClient, StalledStreamProtectionConfig};

pub use self::environment::Environment;
pub use self::error::Error;
pub use self::ini::{Fault, parse_flat};
use self::problem::{Place, problem_of_header, problem_of_secret};
use self::profile::Profile;
pub use self::profile::profiles;
use self::provider::Providers;
use self::proxy::Proxies;
use self::settings::Settings;
pub use self::shared::SharedCredentials;
use self::source::{Source, is_url};
use self::trust::Trust;
use crate::aws::answer::FromService;
use crate::aws::call::{Caller, DEFAULT_ATTEMPTS, Timing};
use crate::aws::codedeploy::CodeDeploy;
use crate::aws::credentials::CredentialRefresh;
pub use crate::aws::limiter::Bandwidth;
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
    /// Whether the endpoint is in this process and accepts any credentials. Nothing is read then: neither
    /// files nor variables.
    pub anonymous: bool,
    /// Credentials that the program gives. None: they are looked for as the AWS CLI does.
    pub keys: Option<Keys>,
    /// Where credentials are kept that other clients may use, too.
    pub shared: Option<SharedCredentials>,
    /// Who is asked for the code of an MFA device. None: a role that needs one fails.
    pub ask_mfa: Option<AskMfa>,
    /// How fast bytes are sent to S3, at most.
    pub bandwidth: Option<Bandwidth>,
    /// How often each request is made, at most. Default: [`DEFAULT_ATTEMPTS`].
    pub attempts: Option<u32>,
    /// How long requests are paused and waited for.
    pub timing: Timing,
}

/// Asks for the code of the MFA device of this name. The answer is none if there is no terminal.
#[derive(Clone, Copy, Debug)]
pub struct AskMfa(pub fn(&str) -> Option<String>);

impl PartialEq for AskMfa {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for AskMfa {}

/// Credentials.
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for Keys {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish()
    }
}

/// Makes the clients. No request is sent to S3 or CodeDeploy, but files are read, the instance that this
/// runs on may be asked for its region, and a role that needs a code of an MFA device is assumed.
///
/// # Errors
///
/// A setting cannot be used, or is missing.
pub async fn connect(access: &Access) -> Result<Clients, Error> {
    let environment = Environment::process();
    settings::check_what_the_sdk_reads(&environment)?;
    connect_in(access, &environment).await
}

/// Makes the clients as [`connect`] does, in an environment that need not be that of the process.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_in(access: &Access, environment: &Environment) -> Result<Clients, Error> {
    let (access, environment) = match access.anonymous {
        true => (&of_this_process(access), &Environment::none()),
        false => (access, environment),
    };
    for url in [
        &access.endpoint_url,
        &access.s3_endpoint_url,
        &access.codedeploy_endpoint_url,
    ] {
        url.as_deref().map_or(Ok(()), check_endpoint)?;
    }
    let profile = Profile::load(access.profile.as_deref(), environment)?;
    let http = http_client(access, environment, &profile)?;
    made(access, environment, &profile, &http).await
}

/// Makes the clients. All requests are sent with `http`.
async fn made(
    access: &Access,
    environment: &Environment,
    profile: &Profile,
    http: &SharedHttpClient,
) -> Result<Clients, Error> {
    let mut settings = Settings::read(access, environment, profile)?;
    if settings.region.is_none() && !source::is_without_instance(environment) {
        let config = sdk_config(access, &settings, http);
        let providers = Providers {
            environment,
            profile,
            settings: &settings,
            config: &config,
            ask: None,
        };
        let region = providers.region_of_instance().await?;
        let place = Place::variable("the region of the instance");
        settings.region = region
            .map(|region| problem::region(region, &place))
            .transpose()?;
    }
    let region = settings.region.clone().ok_or(Error::NoRegion)?;
    let config = sdk_config(access, &settings, http);
    if let Some(renewal) = SharedCredentials::of(access) {
        let config = renewed_by(&renewal, config);
        return Ok(clients(access, &settings, &config, region, renewal));
    }
    let provider = credentials(access, environment, profile, &settings, &config).await?;
    let (config, renewal) = match provider {
        None => (config, CredentialRefresh::default()),
        Some(provider) if access.anonymous || access.keys.is_some() => {
            let config = config.into_builder().credentials_provider(provider);
            (config.build(), CredentialRefresh::default())
        }
        Some(provider) => {
            let renewal = CredentialRefresh::new(provider, {
                let (access, environment) = (access.clone(), environment.clone());
                let (settings, config) = (settings.clone(), config.clone());
                move || {
                    let (access, environment) = (access.clone(), environment.now());
                    let (settings, config) = (settings.clone(), config.clone());
                    Box::pin(async move {
                        let profile =
                            Profile::load(access.profile.as_deref(), &environment).ok()?;
                        let made = credentials(&access, &environment, &profile, &settings, &config);
                        made.await.ok()?
                    })
                }
            });
            SharedCredentials::keep(access, &renewal);
            (renewed_by(&renewal, config), renewal)
        }
    };
    Ok(clients(access, &settings, &config, region, renewal))
}

/// Clients get their credentials from `renewal`.
fn renewed_by(renewal: &CredentialRefresh, config: SdkConfig) -> SdkConfig {
    let config = config.into_builder().identity_cache(renewal.cache());
    let config = match renewal.provider() {
        Some(provider) => config.credentials_provider(provider),
        None => config,
    };
    config.build()
}

/// The HTTP client of every request, those for credentials included.
fn http_client(
    access: &Access,
    environment: &Environment,
    profile: &Profile,
) -> Result<SharedHttpClient, Error> {
    let variable = |name: &str| environment.var(name);
    let bundle = trust::bundle(access, variable, profile.get("ca_bundle"));
    let trust = match bundle {
        _ if access.no_verify => Trust::all(),
        Some(path) => Trust::only(&environment.expand(&path))?,
        None => Trust::system(),
    };
    Ok(http::client(trust, Proxies::of(variable)))
}

/// What reaches an endpoint in this process: nothing but what the program itself says.
fn of_this_process(access: &Access) -> Access {
    let keys = Keys {
        id: "local".to_owned(),
        secret: "local".to_owned(),
        token: None,
    };
    Access {
        region: access.region.clone().or_else(|| Some(NO_REGION.to_owned())),
        profile: None,
        ca_bundle: None,
        no_verify: false,
        no_sign: false,
        keys: Some(keys),
        ..access.clone()
    }
}

/// What clients of all services have in common.
fn sdk_config(access: &Access, settings: &Settings, http: &SharedHttpClient) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts(access))
        .retry_config(settings.retries.clone())
        .http_client(http.clone())
        .use_fips(settings.fips)
        .use_dual_stack(settings.dual_stack);
    config.set_region(settings.region.clone().map(Region::new));
    config.set_request_checksum_calculation(settings.request_checksums);
    config.set_response_checksum_validation(settings.response_checksums);
    config.set_app_name(AppName::new(concat!("hoist-", env!("CARGO_PKG_VERSION"))).ok());
    config.build()
}

/// Where the credentials come from. None if requests are not signed.
async fn credentials(
    access: &Access,
    environment: &Environment,
    profile: &Profile,
    settings: &Settings,
    config: &SdkConfig,
) -> Result<Option<SharedCredentialsProvider>, Error> {
    let source = match &access.keys {
        Some(keys) => {
            let id = problem_of_header(&keys.id).map(|problem| ("the access key id", problem));
            let secret = || Some(("the secret access key", problem_of_secret(&keys.secret)?));
            let token = || Some(("the token", problem_of_header(keys.token.as_deref()?)?));
            if let Some((what, problem)) = id.or_else(secret).or_else(token) {
                return Err(Place::variable(what).unusable(problem));
            }
            Source::Keys(keys.clone())
        }
        None if access.no_sign => return Ok(None),
        None => source::find(environment, profile, access.profile.is_some())?,
    };
    let providers = Providers {
        environment,
        profile,
        settings,
        config,
        ask: access.ask_mfa,
    };
    let provider = providers.of(&source)?;
    if let Some(provider) = provider.as_ref().filter(|_| source.asks()) {
        // The user is asked at once, and not when half of the bundle is sent.
        let asked = provider.provide_credentials().await;
        asked.map_err(|error| Error::Credentials(crate::aws::error::why(&error)))?;
    }
    Ok(Some(provider.unwrap_or_else(|| {
        SharedCredentialsProvider::new(provider::Nothing)
    })))
}

fn clients(
    access: &Access,
    settings: &Settings,
    config: &SdkConfig,
    region: String,
    renewal: CredentialRefresh,
) -> Clients {
    let mut s3 = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(settings.path_style && !settings.accelerate)
        .accelerate(settings.accelerate)
        .use_dual_stack(settings.s3_dual_stack)
        // The caller repeats requests.
        .retry_config(RetryConfig::disabled())
        .interceptor(Wire)
        .interceptor(FromService);
    if let Some(url) = &settings.s3 {
        // The SDK puts the bucket straight after the path of an endpoint.
        let is_open = settings.path_style && !url.ends_with('/');
        let url = format!("{url}{}", if is_open { "/" } else { "" });
        // An endpoint of one's own is of no kind.
        s3 = s3.endpoint_url(url).use_fips(false).use_dual_stack(false);
    }
    let mut codedeploy = aws_sdk_codedeploy::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .interceptor(Wire)
        .interceptor(FromService);
    if let Some(url) = &settings.codedeploy {
        codedeploy = codedeploy
            .endpoint_url(url)
            .use_fips(false)
            .use_dual_stack(false);
    }
    if let Some(bandwidth) = &access.bandwidth {
        // A body that the limiter delays is not stalled. Each attempt has a deadline in any case.
        let stalls = StalledStreamProtectionConfig::enabled().upload_enabled(false);
        s3 = s3
            .interceptor(bandwidth.limiter())
            .stalled_stream_protection(stalls.build());
    }
    if access.no_sign {
        s3 = s3.allow_no_auth();
        codedeploy = codedeploy.allow_no_auth();
    }
    let attempts = access.attempts.unwrap_or(DEFAULT_ATTEMPTS);
    let rate = access.bandwidth.as_ref().map(Bandwidth::share);
    let caller = Caller::new(attempts, access.timing, rate, renewal);
    let sign_payload = settings.s3.as_deref().is_some_and(is_plain_and_remote);
    let is_amazon = settings.codedeploy.as_deref().is_none_or(is_of_amazon);
    let amazon = settings.s3.is_none().then(|| region.clone());
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let client = aws_sdk_codedeploy::Client::from_conf(codedeploy.build());
    Clients {
        codedeploy: CodeDeploy::new(client, caller.independent(), is_amazon),
        s3: S3::new(s3, caller, sign_payload, amazon),
        region,
    }
}

/// Whether an endpoint is Amazon's own, such as that of a virtual private cloud.
fn is_of_amazon(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"]
        .iter()
        .any(|domain| host.ends_with(domain))
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

/// Refuses a URL that would fail later with a misleading text: an endpoint has a host, a port that can be one,
/// and no query.
fn check_endpoint(url: &str) -> Result<(), Error> {
    let uri = url.parse::<::http::Uri>().ok().filter(|_| is_url(url));
    let uri = uri.filter(|uri| uri.query().is_none() && !url.contains('#'));
    let authority = uri.as_ref().and_then(::http::Uri::authority);
    let has_port = |authority: &::http::uri::Authority| {
        let named = authority.as_str().rsplit('@').next().unwrap_or_default();
        named.len() == authority.host().len() || authority.port_u16().is_some()
    };
    match authority.is_some_and(has_port) {
        true => Ok(()),
        false => Err(Error::Endpoint(problem::without_secrets(url))),
    }
}

/// What follows a scheme, in upper or lower case.
fn after_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
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
mod tests;
