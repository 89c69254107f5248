//! The two AWS clients, made as any AWS tool makes them.
//!
//! Credentials, region, profile and endpoints come from where the AWS CLI takes them (environment,
//! `~/.aws`, container and instance roles, web identity), by the SDK's own chain. This room adds
//! what the SDK leaves to its caller: an endpoint for both services, path-style addresses for
//! endpoints that are not Amazon's, and time for a connection among many.

use std::net::IpAddr;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_types::service_config::ServiceConfigKey;

/// The SDK gives up on a connection after 3.1 seconds, which is not enough when sixteen are opened
/// at once.
const CONNECT: Duration = Duration::from_secs(10);

/// The region of an endpoint that has none.
const ANYWHERE: &str = "us-east-1";

/// What the user said about AWS. What is left out comes from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The region of both services.
    pub region: Option<String>,
    /// The profile in `~/.aws` to use.
    pub profile: Option<String>,
    /// The endpoint of both services.
    pub endpoint_url: Option<String>,
    /// The endpoint takes anybody: no credentials are looked for.
    pub anonymous: bool,
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
    /// Whether payloads must be signed because nothing else protects them on their way.
    pub sign_payload: bool,
}

/// No region is configured. The text is that of the AWS CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "You must specify a region. You can also configure your region by running \"aws configure\"."
)]
pub struct NoRegion;

/// Makes the clients. Nothing is sent to AWS, but files are read and an instance may be asked for
/// its region.
///
/// # Errors
///
/// [`NoRegion`].
pub async fn connect(access: &Access) -> Result<Clients, NoRegion> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    if let Ok(name) = AppName::new(concat!("hoist-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &access.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if access.anonymous {
        let credentials = Credentials::new("local", "local", None, None, "hoist");
        loader = loader.credentials_provider(credentials);
        if access.region.is_none() {
            loader = loader.region(Region::from_static(ANYWHERE));
        }
    }
    let config = loader.load().await;
    let region = config.region().ok_or(NoRegion)?.to_string();
    let endpoint = s3_endpoint(&config);
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        // Buckets of other stores have no host name of their own.
        .force_path_style(endpoint.is_some())
        .build();
    Ok(Clients {
        s3: aws_sdk_s3::Client::from_conf(s3),
        codedeploy: aws_sdk_codedeploy::Client::new(&config),
        region,
        sign_payload: endpoint.is_some_and(|url| is_plain_and_remote(&url)),
    })
}

/// The S3 endpoint that the user or the environment chose.
fn s3_endpoint(config: &SdkConfig) -> Option<String> {
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
}
