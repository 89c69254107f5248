//! Gets credentials from where they come from, through the SDK.
//!
//! Whatever gives them, they are judged before a request is signed with them: the SDK panics on a key id
//! that no header can hold. Errors say what helps.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future,
};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use tokio::sync::{Mutex, oneshot};

use super::environment::Environment;
use super::error::Error;
use super::problem::{Place, problem_of_header, problem_of_secret};
use super::process::Process;
use super::profile::Profile;
use super::settings::{Instance, Settings};
use super::source::{Role, Source, Sso};
use super::{AskMfa, Keys};
use crate::aws::error::{cause, is_no_instance};
use crate::error::quoted;

/// What providers ask with.
pub(super) struct Providers<'a> {
    pub(super) environment: &'a Environment,
    pub(super) profile: &'a Profile,
    pub(super) settings: &'a Settings,
    /// Region, HTTP client, timeouts and retries of requests for credentials.
    pub(super) config: &'a SdkConfig,
    /// Who is asked for the code of an MFA device.
    pub(super) ask: Option<AskMfa>,
}

impl Providers<'_> {
    /// A provider of the credentials of a source. None if there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`].
    pub(super) fn of(&self, source: &Source) -> Result<Option<SharedCredentialsProvider>, Error> {
        let (inner, hint) = match source {
            Source::Nowhere => return Ok(None),
            Source::Keys(keys) => {
                return Ok(Some(SharedCredentialsProvider::new(credentials(keys))));
            }
            Source::Process(command) => (
                SharedCredentialsProvider::new(Process(command.clone())),
                None,
            ),
            Source::Sso(sso) => (self.sso(sso)?, Some(Hint::Final(sign_in(sso)))),
            Source::Container => {
                let provider = EcsCredentialsProvider::builder().configure(&self.provider_config());
                (SharedCredentialsProvider::new(provider.build()), None)
            }
            Source::Instance => self.instance()?,
            Source::WebIdentity { role, token } => {
                let kind = Kind::WebIdentity(token.clone());
                (self.role(role, kind), None)
            }
            Source::Role { role, bearer } => match self.of(bearer)? {
                Some(bearer) => (self.role(role, Kind::Bearer(bearer)), None),
                None => return Ok(None),
            },
        };
        let judged = Judged { inner, hint };
        Ok(Some(SharedCredentialsProvider::new(judged)))
    }

    fn provider_config(&self) -> ProviderConfig {
        let config = self.config;
        // An endpoint of one's own is of no kind.
        let is_own = self.settings.sso.is_some();
        let mut made = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_use_fips(Some(self.settings.fips && !is_own))
            .with_use_dual_stack(Some(self.settings.dual_stack && !is_own));
        if let Some(retries) = config.retry_config() {
            made = made.with_retry_config(retries.clone());
        }
        if let Some(timeouts) = config.timeout_config() {
            made = made.with_timeout_config(timeouts.clone());
        }
        if let Some(http) = config.http_client() {
            made = made.with_http_client(http);
        }
        made
    }

    fn sso(&self, sso: &Sso) -> Result<SharedCredentialsProvider, Error> {
        if cfg!(unix) && self.environment.var("HOME").is_none() {
            let why = "is not set, and the session of SSO is in a file below it";
            return Err(Place::variable("HOME").unusable(why));
        }
        let mut provider = SsoCredentialsProvider::builder()
            .configure(&self.provider_config())
            .account_id(&sso.account)
            .role_name(&sso.role)
            .start_url(&sso.start_url)
            .region(Region::new(sso.region.clone()));
        provider.set_session_name(sso.session.clone());
        Ok(SharedCredentialsProvider::new(provider.build()))
    }

    fn instance(&self) -> Result<(SharedCredentialsProvider, Option<Hint>), Error> {
        let instance = Instance::read(self.environment, self.profile)?;
        let hint = format!(
            "there are no credentials in the environment, none of the profile {}, and none of a container, \
             so the metadata service of the instance was asked, at {}",
            quoted(self.profile.name()),
            instance.endpoint
        );
        let provider = ImdsCredentialsProvider::builder()
            .configure(&self.provider_config())
            .imds_client(client(&instance, &self.provider_config())?)
            .build();
        Ok((
            SharedCredentialsProvider::new(provider),
            Some(Hint::Passing(hint)),
        ))
    }

    /// The region of the instance that this runs on.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`].
    pub(super) async fn region_of_instance(&self) -> Result<Option<String>, Error> {
        let instance = Instance::read(self.environment, self.profile)?;
        let provider = ImdsRegionProvider::builder()
            .configure(&self.provider_config())
            .imds_client(client(&instance, &self.provider_config())?)
            .build();
        Ok(provider.region().await.map(|region| region.to_string()))
    }

    fn role(&self, role: &Role, kind: Kind) -> SharedCredentialsProvider {
        let mut config = aws_sdk_sts::config::Builder::from(self.config);
        if let Some(url) = &self.settings.sts {
            config = config
                .endpoint_url(url)
                .use_fips(false)
                .use_dual_stack(false);
        }
        match &kind {
            Kind::Bearer(bearer) => config.set_credentials_provider(Some(bearer.clone())),
            Kind::WebIdentity(_) => &mut config,
        };
        SharedCredentialsProvider::new(Assumed(Arc::new(Inner {
            role: role.clone(),
            kind,
            client: aws_sdk_sts::Client::from_conf(config.build()),
            ask: self.ask,
            last: Mutex::default(),
        })))
    }
}

fn client(instance: &Instance, config: &ProviderConfig) -> Result<imds::Client, Error> {
    let mut client = imds::Client::builder()
        .configure(config)
        .endpoint(&instance.endpoint)
        .map_err(|_| {
            let place = Place::variable("the endpoint of the metadata service");
            place.refused(&instance.endpoint, "which is no address")
        })?;
    if let Some(attempts) = instance.attempts {
        client = client.max_attempts(attempts);
    }
    if let Some(limit) = instance.timeout {
        client = client.connect_timeout(limit).read_timeout(limit);
    }
    Ok(client.build())
}

/// What helps if a session of SSO has ended.
fn sign_in(sso: &Sso) -> String {
    let profile = quoted(&sso.profile);
    format!("the session of SSO may have ended, sign in with `aws sso login --profile {profile}`")
}

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "hoist")
}

/// No credentials.
#[derive(Debug)]
pub(super) struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}

/// A provider whose credentials are judged, and whose errors say what helps.
#[derive(Debug)]
struct Judged {
    inner: SharedCredentialsProvider,
    hint: Option<Hint>,
}

/// What helps against an error.
#[derive(Debug)]
enum Hint {
    /// Asking again may help.
    Passing(String),
    /// Asking again helps only if no answer came.
    Final(String),
}

/// An error, with what helps against it in its place.
#[derive(Debug, thiserror::Error)]
#[error("{hint}")]
struct Hinted {
    hint: String,
    source: CredentialsError,
}

impl Judged {
    async fn credentials(&self) -> Provided {
        let provided = self.inner.provide_credentials().await;
        let credentials = match (provided, &self.hint) {
            (Ok(credentials), _) => credentials,
            (Err(error @ CredentialsError::CredentialsNotLoaded(_)), _) | (Err(error), None) => {
                return Err(error);
            }
            (Err(error), Some(_)) if is_no_instance(&error) => return Err(error),
            (Err(error), Some(hint)) => {
                let has_answer = cause::<ConnectorError>(&error).is_none();
                let hinted = |hint: &String| Hinted {
                    hint: hint.clone(),
                    source: error,
                };
                return Err(match hint {
                    Hint::Final(hint) if has_answer => {
                        CredentialsError::invalid_configuration(hinted(hint))
                    }
                    Hint::Final(hint) | Hint::Passing(hint) => {
                        CredentialsError::provider_error(hinted(hint))
                    }
                });
            }
        };
        let token = credentials.session_token().and_then(problem_of_header);
        let wrong = problem_of_header(credentials.access_key_id())
            .map(|problem| ("access key id", problem))
            .or_else(|| {
                Some((
                    "secret access key",
                    problem_of_secret(credentials.secret_access_key())?,
                ))
            })
            .or_else(|| Some(("session token", token?)));
        match wrong {
            None => Ok(credentials),
            Some((what, problem)) => Err(CredentialsError::invalid_configuration(format!(
                "the {what} that was given {problem}"
            ))),
        }
    }
}

impl ProvideCredentials for Judged {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// By what a role is assumed.
#[derive(Debug)]
enum Kind {
    Bearer(SharedCredentialsProvider),
    WebIdentity(std::path::PathBuf),
}

/// Credentials of a role, from STS.
struct Assumed(Arc<Inner>);

struct Inner {
    role: Role,
    kind: Kind,
    client: aws_sdk_sts::Client,
    ask: Option<AskMfa>,
    /// The last ones: a code is asked for no more often than it must be.
    last: Mutex<Option<Credentials>>,
}

impl fmt::Debug for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assumed({})", self.0.role.arn)
    }
}

impl Inner {
    async fn credentials(&self) -> Provided {
        let mut last = self.last.lock().await;
        let soon = SystemTime::now() + Duration::from_secs(60);
        if let Some(credentials) = &*last
            && credentials.expiry().is_some_and(|expiry| expiry > soon)
        {
            return Ok(credentials.clone());
        }
        Ok(last.insert(self.assume().await?).clone())
    }

    async fn assume(&self) -> Provided {
        let role = &self.role;
        let session = role.session.clone().unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            format!("hoist-{}", now.unwrap_or_default().as_millis())
        });
        let given = match &self.kind {
            Kind::Bearer(_) => {
                let code = match &role.mfa {
                    None => None,
                    Some(serial) => Some(self.code(serial).await?),
                };
                let answer = self
                    .client
                    .assume_role()
                    .role_arn(&role.arn)
                    .role_session_name(session)
                    .set_external_id(role.external_id.clone())
                    .set_duration_seconds(role.duration)
                    .set_serial_number(role.mfa.clone())
                    .set_token_code(code)
                    .send()
                    .await;
                answer.map(|answer| answer.credentials).map_err(refused)?
            }
            Kind::WebIdentity(path) => {
                let token = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || std::fs::read_to_string(path)
                });
                let token = token.await.map_err(CredentialsError::unhandled)?;
                let token = token.map_err(|error| {
                    let path = path.display();
                    let why = format!("cannot read the token of the web identity {path}: {error}");
                    CredentialsError::invalid_configuration(why)
                })?;
                let answer = self
                    .client
                    .assume_role_with_web_identity()
                    .role_arn(&role.arn)
                    .role_session_name(session)
                    .web_identity_token(token)
                    .send()
                    .await;
                answer.map(|answer| answer.credentials).map_err(refused)?
            }
        };
        let given = given.ok_or_else(|| CredentialsError::unhandled("STS gave no credentials"))?;
        let expiry = SystemTime::try_from(given.expiration).map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(expiry),
            "role",
        ))
    }

    /// The code of an MFA device.
    async fn code(&self, serial: &str) -> Result<String, CredentialsError> {
        let (send, receive) = oneshot::channel();
        if let Some(ask) = self.ask {
            let serial = serial.to_owned();
            // Not a thread of the runtime: the runtime would wait for it at the end.
            std::thread::spawn(move || send.send((ask.0)(&serial)));
        } else {
            drop(send);
        }
        let code = receive.await.ok().flatten();
        code.ok_or_else(|| {
            let serial = serial.escape_debug();
            CredentialsError::invalid_configuration(format!(
                "the role {} needs a code of the MFA device {serial}, and there is no terminal to ask for it",
                self.role.arn
            ))
        })
    }
}

/// An error of STS: the client has repeated what may pass, so what it refuses otherwise it refuses again.
fn refused<E>(error: SdkError<E, HttpResponse>) -> CredentialsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    // STS answers with the status 400 that it gets too many requests.
    let is_throttled = error.code().is_some_and(|code| code.starts_with("Throttl"));
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    match (&error, status) {
        (SdkError::ServiceError(_), Some(400..=428 | 430..=499)) if !is_throttled => {
            CredentialsError::invalid_configuration(error)
        }
        _ => CredentialsError::provider_error(error),
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.credentials())
    }
}
