//! Options about AWS that several commands have, as the AWS CLI has them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hoist::aws::access::{Access, Error};

use crate::cli::args::color::Color;
use crate::cli::render::debug;
use crate::cli::{Exit, Failure};

/// How AWS is reached.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "AWS options")]
pub(crate) struct AccessArgs {
    /// The region of the bucket and the application [default: as the AWS CLI finds it]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// The profile in ~/.aws to use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The endpoint of both S3 and CodeDeploy, instead of Amazon's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// The endpoint of S3
    #[arg(long, value_name = "URL")]
    s3_endpoint_url: Option<String>,

    /// The endpoint of CodeDeploy
    #[arg(long, value_name = "URL")]
    codedeploy_endpoint_url: Option<String>,

    /// A PEM file of the only certificate authorities to trust [default: AWS_CA_BUNDLE, ca_bundle
    /// of the profile, the system's]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,

    /// Believe any certificate: nobody knows then who gets the bundle
    #[arg(long)]
    no_verify_ssl: bool,

    /// Sign nothing and look for no credentials
    #[arg(long)]
    no_sign_request: bool,

    /// Seconds until a connection must be open; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    cli_connect_timeout: u32,

    /// Seconds until an answer must begin, the time to send the request included; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    cli_read_timeout: u32,

    /// Use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// Say on standard error what is sent and answered; never credentials or contents
    #[arg(long)]
    debug: bool,

    #[command(flatten)]
    _others: Others,
}

/// What the AWS CLI's commands all take, and what changes nothing for one that answers with two
/// lines. Scripts have them.
#[derive(Clone, Debug, Args)]
struct Others {
    #[arg(long = "no-paginate", hide = true)]
    _no_paginate: bool,
    #[arg(long = "no-cli-pager", hide = true)]
    _no_cli_pager: bool,
    #[arg(long = "no-cli-auto-prompt", hide = true)]
    _no_cli_auto_prompt: bool,
    #[arg(long = "query", hide = true)]
    _query: Option<String>,
    #[arg(long = "cli-binary-format", hide = true)]
    _cli_binary_format: Option<String>,
}

impl AccessArgs {
    /// What the library is to know. Also begins what `--debug` and `--color` ask for.
    pub(crate) fn access(&self) -> Access {
        self.color.set();
        if self.debug {
            debug::start();
        }
        let seconds = |seconds: u32| Some(Duration::from_secs(seconds.into()));
        Access {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            s3_endpoint_url: self.s3_endpoint_url.clone(),
            codedeploy_endpoint_url: self.codedeploy_endpoint_url.clone(),
            ca_bundle: self.ca_bundle.clone(),
            no_verify: self.no_verify_ssl,
            no_sign: self.no_sign_request,
            connect_timeout: seconds(self.cli_connect_timeout),
            read_timeout: seconds(self.cli_read_timeout),
            ..Access::default()
        }
    }

    /// The words that say the same to the AWS CLI, about S3.
    pub(crate) fn words_of_the_aws_cli(&self) -> Vec<String> {
        let s3 = Self {
            endpoint_url: self.s3_endpoint_url.clone().or(self.endpoint_url.clone()),
            s3_endpoint_url: None,
            codedeploy_endpoint_url: None,
            ..self.clone()
        };
        s3.words()
    }

    /// The words that say the same to another command.
    pub(crate) fn words(&self) -> Vec<String> {
        let bundle = self
            .ca_bundle
            .as_ref()
            .map(|path| path.display().to_string());
        let valued = [
            ("--region", &self.region),
            ("--profile", &self.profile),
            ("--endpoint-url", &self.endpoint_url),
            ("--s3-endpoint-url", &self.s3_endpoint_url),
            ("--codedeploy-endpoint-url", &self.codedeploy_endpoint_url),
            ("--ca-bundle", &bundle),
        ];
        let switches = [
            ("--no-verify-ssl", self.no_verify_ssl),
            ("--no-sign-request", self.no_sign_request),
        ];
        let valued = valued
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]))
            .flatten();
        let switches = switches
            .into_iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| name.to_owned());
        valued.chain(switches).collect()
    }
}

/// Why there are no clients, and the exit code that the AWS CLI has for it.
pub(crate) fn refused(error: &Error) -> Failure {
    let exit = match error {
        Error::NoRegion => Exit::Config,
        Error::Endpoint(_) => Exit::Usage,
        _ => Exit::Failure,
    };
    Failure::new(exit, error)
}
