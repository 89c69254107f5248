//! The settings that decide how both services are reached, as options, environment and profile have them.

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};

use super::environment::Environment;
use super::error::Error;
use super::problem::{self, Place, is_on, number, setting};
use super::profile::Profile;
use super::source::is_url;
use super::{Access, check_endpoint};

/// What is configured, each value judged.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) region: Option<String>,
    pub(super) fips: bool,
    pub(super) dual_stack: bool,
    /// The endpoint of S3, if it is not Amazon's.
    pub(super) s3: Option<String>,
    /// Whether buckets are in the path of S3's addresses, and not in the host's name.
    pub(super) path_style: bool,
    /// Whether S3 is reached by both versions of IP.
    pub(super) s3_dual_stack: bool,
    /// Whether S3 is reached through its accelerated endpoint.
    pub(super) accelerate: bool,
    /// The endpoint of CodeDeploy, if it is not Amazon's.
    pub(super) codedeploy: Option<String>,
    /// The endpoint of STS, if it is not Amazon's.
    pub(super) sts: Option<String>,
    /// The endpoint of SSO, if it is not Amazon's.
    pub(super) sso: Option<String>,
    /// How often credentials are asked for. Requests to the services are repeated elsewhere.
    pub(super) retries: RetryConfig,
    pub(super) request_checksums: Option<RequestChecksumCalculation>,
    pub(super) response_checksums: Option<ResponseChecksumValidation>,
}

/// The metadata service of the instance that this runs on.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) endpoint: String,
    pub(super) timeout: Option<Duration>,
    pub(super) attempts: Option<u32>,
}

impl Settings {
    /// Reads and judges them.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the variable, or the file and the profile, and says what is wrong.
    pub(super) fn read(
        access: &Access,
        environment: &Environment,
        profile: &Profile,
    ) -> Result<Self, Error> {
        let read = |variables: &[&str], key: &str| setting(environment, profile, variables, key);
        let on = |variable: &str, key: &str| {
            let value = read(&[variable], key);
            value.is_some_and(|(value, _)| is_on(&value))
        };
        let asked = access.region.clone();
        let region = asked
            .map(|region| (region, Place::variable("the region")))
            .or_else(|| read(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region"))
            .map(|(value, place)| problem::region(value, &place))
            .transpose()?;
        let ignored = on(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "ignore_configured_endpoint_urls",
        );
        let endpoint = |asked: [&Option<String>; 2], service: &str| {
            if let Some(url) = asked.into_iter().flatten().next() {
                return Ok(Some(url.clone()));
            }
            match ignored {
                true => Ok(None),
                false => configured_endpoint(environment, profile, service),
            }
        };
        let both = &access.endpoint_url;
        let s3 = endpoint([&access.s3_endpoint_url, both], "s3")?;
        let of_s3 = |key: &str| profile.below("s3", key);
        let style = of_s3("addressing_style").unwrap_or("auto");
        let place = || profile.place("s3");
        if !matches!(style, "auto" | "virtual" | "path") {
            let why = "but its addressing_style must be auto, virtual or path";
            return Err(place().refused(style, why));
        }
        let accelerate = of_s3("use_accelerate_endpoint").is_some_and(is_on);
        if accelerate && s3.is_some() {
            return Err(
                place().unusable("asks for acceleration, but S3 is not at an endpoint of Amazon's")
            );
        }
        let dual_stack = on("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
        Ok(Self {
            region,
            fips: on("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            dual_stack,
            // Buckets of other stores have no host name of their own, unless the profile says so.
            path_style: match s3 {
                Some(_) => style != "virtual",
                None => style == "path",
            },
            accelerate,
            s3_dual_stack: dual_stack || of_s3("use_dualstack_endpoint").is_some_and(is_on),
            s3,
            codedeploy: endpoint([&access.codedeploy_endpoint_url, both], "codedeploy")?,
            sts: endpoint([&None, &None], "sts")?,
            sso: endpoint([&None, &None], "sso")?,
            retries: retries(environment, profile)?,
            request_checksums: checksums(
                read(
                    &["AWS_REQUEST_CHECKSUM_CALCULATION"],
                    "request_checksum_calculation",
                ),
                RequestChecksumCalculation::WhenSupported,
                RequestChecksumCalculation::WhenRequired,
            )?,
            response_checksums: checksums(
                read(
                    &["AWS_RESPONSE_CHECKSUM_VALIDATION"],
                    "response_checksum_validation",
                ),
                ResponseChecksumValidation::WhenSupported,
                ResponseChecksumValidation::WhenRequired,
            )?,
        })
    }
}

impl Instance {
    pub(super) fn read(environment: &Environment, profile: &Profile) -> Result<Self, Error> {
        let read = |variable: &str, key: &str| setting(environment, profile, &[variable], key);
        let endpoint = read(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "ec2_metadata_service_endpoint",
        );
        let mode = read(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
            "ec2_metadata_service_endpoint_mode",
        );
        let is_v6 = match mode {
            Some((mode, _)) if mode.eq_ignore_ascii_case("ipv4") => false,
            Some((mode, _)) if mode.eq_ignore_ascii_case("ipv6") => true,
            Some((mode, place)) => return Err(place.refused(&mode, "but it must be IPv4 or IPv6")),
            None => read("AWS_IMDS_USE_IPV6", "imds_use_ipv6").is_some_and(|(on, _)| is_on(&on)),
        };
        let count = |variable: &str, key: &str| {
            let value = read(variable, key);
            value
                .map(|(value, place)| number(&value, &place, 1))
                .transpose()
        };
        let seconds = count("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")?;
        Ok(Self {
            endpoint: match endpoint.filter(|(url, _)| !url.is_empty()) {
                Some((url, _)) if is_url(&url) => url,
                Some((url, place)) => {
                    return Err(place.refused(&url, "which is no address such as http://HOST"));
                }
                None if is_v6 => "http://[fd00:ec2::254]".to_owned(),
                None => "http://169.254.169.254".to_owned(),
            },
            timeout: seconds.map(|seconds| Duration::from_secs(seconds.into())),
            attempts: count(
                "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
                "metadata_service_num_attempts",
            )?,
        })
    }
}

/// Variables that the SDK reads by itself, whatever it is given: it panics on one, and sends another in a
/// header.
///
/// # Errors
///
/// [`Error::Setting`].
pub(super) fn check_what_the_sdk_reads(environment: &Environment) -> Result<(), Error> {
    let partitions = "SMITHY_CLIENT_SDK_CUSTOM_PARTITION";
    if environment.var(partitions).is_some() {
        let place = Place::variable(partitions);
        return Err(place.unusable("is set, which is for tests of the SDK: unset it"));
    }
    let agent = environment.var("AWS_EXECUTION_ENV");
    match agent.filter(|value| value.contains(char::is_control)) {
        None => Ok(()),
        Some(value) => Err(Place::variable("AWS_EXECUTION_ENV")
            .refused(&value, "which has a line end or a control character in it")),
    }
}

/// The endpoint that the environment or the profile names for a service (botocore,
/// `ConfiguredEndpointProvider`).
fn configured_endpoint(
    environment: &Environment,
    profile: &Profile,
    service: &str,
) -> Result<Option<String>, Error> {
    let of_service = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
    let variable = |name: &str| {
        let value = environment.var(name).filter(|value| !value.is_empty())?;
        Some((value, Place::variable(name)))
    };
    let found = match variable(&of_service).or_else(|| variable("AWS_ENDPOINT_URL")) {
        Some(found) => Some(found),
        None => {
            let found = profile.endpoint(service)?;
            found.map(|(url, place)| (url.to_owned(), place))
        }
    };
    match found {
        Some((url, place)) if check_endpoint(&url).is_err() => Err(place.refused(
            &url,
            "which is no endpoint; write http://HOST[:PORT] or https://HOST[:PORT]",
        )),
        found => Ok(found.map(|(url, _)| url)),
    }
}

/// How often credentials are asked for.
fn retries(environment: &Environment, profile: &Profile) -> Result<RetryConfig, Error> {
    let mode = setting(environment, profile, &["AWS_RETRY_MODE"], "retry_mode");
    let retries = match mode {
        None => RetryConfig::standard(),
        Some((mode, place)) => match mode.as_str() {
            // The SDK has no legacy mode. It differs in how many codes are repeated.
            "standard" | "legacy" => RetryConfig::standard(),
            "adaptive" => RetryConfig::adaptive(),
            _ => return Err(place.refused(&mode, "but it must be standard, adaptive or legacy")),
        },
    };
    let attempts = setting(environment, profile, &["AWS_MAX_ATTEMPTS"], "max_attempts");
    Ok(match attempts {
        None => retries,
        Some((attempts, place)) => retries.with_max_attempts(number(&attempts, &place, 1)?),
    })
}

/// When checksums are made.
fn checksums<T>(
    value: Option<(String, Place)>,
    supported: T,
    required: T,
) -> Result<Option<T>, Error> {
    match value {
        None => Ok(None),
        Some((value, _)) if value.eq_ignore_ascii_case("when_supported") => Ok(Some(supported)),
        Some((value, _)) if value.eq_ignore_ascii_case("when_required") => Ok(Some(required)),
        Some((value, place)) => {
            Err(place.refused(&value, "but it must be when_supported or when_required"))
        }
    }
}
