//! How AWS is reached: options that several commands have, as the AWS CLI has them.

use std::path::PathBuf;

use clap::Args;
use hoist::aws::access::{Access, AskMfa};

use crate::cli::args::color::Color;
use crate::cli::args::time::{self, Time};
use crate::cli::mfa;
use crate::cli::render::debug;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "AWS access")]
pub(crate) struct AccessArgs {
    /// Region of the bucket and the application [default: as the AWS CLI finds it]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Profile of ~/.aws/config and ~/.aws/credentials to use
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Endpoint of both S3 and CodeDeploy, instead of Amazon's
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// Endpoint of S3
    #[arg(long, value_name = "URL")]
    s3_endpoint_url: Option<String>,

    /// Endpoint of CodeDeploy
    #[arg(long, value_name = "URL")]
    codedeploy_endpoint_url: Option<String>,

    /// PEM file of the certificate authorities to trust, and no others [default: AWS_CA_BUNDLE, the
    /// profile's ca_bundle, REQUESTS_CA_BUNDLE, or those of the system]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,

    /// Do not verify TLS certificates (insecure)
    #[arg(long)]
    no_verify_ssl: bool,

    /// Do not sign requests, and load no credentials
    #[arg(long)]
    no_sign_request: bool,

    /// Time in which a connection must be opened, in seconds or as 1m; 0 means no limit
    #[arg(long, value_name = "TIME", value_parser = time::seconds, default_value = "10")]
    cli_connect_timeout: Time,

    /// Time in which a request must be sent and its answer must begin; 0 means no limit
    #[arg(long, value_name = "TIME", value_parser = time::seconds, default_value = "0")]
    cli_read_timeout: Time,

    /// When to use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    color: Color,

    /// Log requests and answers to standard error, without credentials and contents
    #[arg(long, help_heading = "Output")]
    pub(crate) debug: bool,

    #[command(flatten)]
    _ignored: IgnoredArgs,
}

/// Options of all commands of the AWS CLI that change nothing here. Scripts use them.
#[derive(Clone, Debug, Args)]
struct IgnoredArgs {
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
    #[arg(long = "cli-error-format", hide = true)]
    _cli_error_format: Option<String>,
}

impl AccessArgs {
    /// How the library reaches AWS. Also starts `--debug` and sets `--color`.
    pub(crate) fn access(&self) -> Access {
        match self.color {
            Color::On => console::set_colors_enabled_stderr(true),
            Color::Off => console::set_colors_enabled_stderr(false),
            Color::Auto => {}
        }
        if self.debug {
            debug::start();
        }
        self.settings()
    }

    /// As [`access`](Self::access), without the rest.
    pub(crate) fn settings(&self) -> Access {
        Access {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            s3_endpoint_url: self.s3_endpoint_url.clone(),
            codedeploy_endpoint_url: self.codedeploy_endpoint_url.clone(),
            ca_bundle: self.ca_bundle.clone(),
            no_verify: self.no_verify_ssl,
            no_sign: self.no_sign_request,
            connect_timeout: Some(self.cli_connect_timeout.duration),
            read_timeout: Some(self.cli_read_timeout.duration),
            ask_mfa: Some(AskMfa(mfa::ask)),
            ..Access::default()
        }
    }

    /// The endpoint of S3, if it is not Amazon's.
    pub(crate) fn endpoint_of_s3(&self) -> Option<&str> {
        self.s3_endpoint_url
            .as_deref()
            .or(self.endpoint_url.as_deref())
    }

    /// The same options for another region. An endpoint that is given is that of both services.
    pub(crate) fn elsewhere(
        &self,
        region: String,
        profile: Option<String>,
        endpoint: Option<String>,
    ) -> Self {
        let of_one = |url: &Option<String>| url.clone().filter(|_| endpoint.is_none());
        Self {
            region: Some(region),
            profile: profile.or_else(|| self.profile.clone()),
            s3_endpoint_url: of_one(&self.s3_endpoint_url),
            codedeploy_endpoint_url: of_one(&self.codedeploy_endpoint_url),
            endpoint_url: endpoint.clone().or_else(|| self.endpoint_url.clone()),
            ..self.clone()
        }
    }

    /// Takes from `other` what is not `given` here, except for the region.
    pub(crate) fn inherit(&mut self, other: &Self, given: &dyn Fn(&str) -> bool) {
        let own = self.clone();
        let text = |key: &str, own: Option<String>, other: &Option<String>| {
            if given(key) { own } else { other.clone() }
        };
        // An endpoint of both services that is given replaces those of each.
        let of_one = |key: &str, own: Option<String>, other: &Option<String>| {
            if given("endpoint-url") {
                own
            } else {
                text(key, own, other)
            }
        };
        *self = Self {
            region: own.region,
            profile: text("profile", own.profile, &other.profile),
            endpoint_url: text("endpoint-url", own.endpoint_url, &other.endpoint_url),
            s3_endpoint_url: of_one(
                "s3-endpoint-url",
                own.s3_endpoint_url,
                &other.s3_endpoint_url,
            ),
            codedeploy_endpoint_url: of_one(
                "codedeploy-endpoint-url",
                own.codedeploy_endpoint_url,
                &other.codedeploy_endpoint_url,
            ),
            ca_bundle: own.ca_bundle.or_else(|| other.ca_bundle.clone()),
            no_verify_ssl: own.no_verify_ssl || other.no_verify_ssl && !given("no-verify-ssl"),
            no_sign_request: own.no_sign_request
                || other.no_sign_request && !given("no-sign-request"),
            ..other.clone()
        };
    }

    /// The options with which the AWS CLI reaches the same CodeDeploy.
    pub(crate) fn words_of_a_deployment(&self) -> Vec<String> {
        let codedeploy = self.codedeploy_endpoint_url.clone();
        let codedeploy = Self {
            endpoint_url: codedeploy.or(self.endpoint_url.clone()),
            s3_endpoint_url: None,
            codedeploy_endpoint_url: None,
            ..self.clone()
        };
        codedeploy.words()
    }

    /// The options with which the AWS CLI reaches the same S3.
    pub(crate) fn words_of_the_aws_cli(&self) -> Vec<String> {
        let s3 = Self {
            endpoint_url: self.s3_endpoint_url.clone().or(self.endpoint_url.clone()),
            s3_endpoint_url: None,
            codedeploy_endpoint_url: None,
            ..self.clone()
        };
        s3.words()
    }

    /// The same options for another command line of hoist.
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
