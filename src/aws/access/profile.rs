//! Chooses the profile as the AWS CLI does, and reads of it what the SDK does not read.
//!
//! The AWS CLI version 2 takes `--profile`, then `AWS_PROFILE`, then `AWS_DEFAULT_PROFILE`; the SDK does
//! not know the last. The AWS CLI fails if the profile does not exist, and with `--profile` it ignores
//! the keys in the environment (botocore, `credentials.py`, leaves out the environment's provider). The
//! SDK does neither.

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet, load};
use aws_config::provider_config::ProviderConfig;
use aws_types::os_shim_internal::{Env, Fs};

use super::Error;

/// The profile that is used, as the two files in `~/.aws` have it.
#[derive(Debug)]
pub(super) struct Profile {
    name: Option<String>,
    files: ProfileSet,
}

impl Profile {
    /// Reads the files. `asked` is the profile that the user names, if any.
    ///
    /// # Errors
    ///
    /// [`Error::NoProfile`] if the named profile does not exist, [`Error::Files`].
    pub(super) async fn load(asked: Option<&str>) -> Result<Self, Error> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let name = asked
            .map(str::to_owned)
            .or_else(|| variable("AWS_PROFILE"))
            .or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let chosen = name.clone().map(Into::into);
        let files = load(&Fs::real(), &Env::real(), &Default::default(), chosen)
            .await
            .map_err(|error| Error::Files(crate::aws::error::chain(&error)))?;
        match name {
            Some(name) if files.get_profile(&name).is_none() => Err(Error::NoProfile(name)),
            name => Ok(Self { name, files }),
        }
    }

    /// The profile's name, if one was chosen.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// One of its settings.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.files.get(key)
    }
}

/// The credentials of a profile; then, as with the AWS CLI, those of the container or the instance. They
/// are requested with the region, the HTTP client and the retries of `config`.
pub(super) fn credentials(profile: &str, config: &SdkConfig) -> CredentialsProviderChain {
    let mut settings = ProviderConfig::default()
        .with_region(config.region().cloned())
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack());
    if let Some(retries) = config.retry_config() {
        settings = settings.with_retry_config(retries.clone());
    }
    if let Some(timeouts) = config.timeout_config() {
        settings = settings.with_timeout_config(timeouts.clone());
    }
    if let Some(http) = config.http_client() {
        settings = settings.with_http_client(http);
    }
    let of_profile = ProfileFileCredentialsProvider::builder()
        .configure(&settings)
        .profile_name(profile)
        .build();
    CredentialsProviderChain::first_try("Profile", of_profile)
        .or_else(
            "EcsContainer",
            EcsCredentialsProvider::builder()
                .configure(&settings)
                .build(),
        )
        .or_else(
            "Ec2InstanceMetadata",
            ImdsCredentialsProvider::builder()
                .configure(&settings)
                .build(),
        )
}
