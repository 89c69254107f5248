//! Why a host does not answer, in the words that the user reads.
//!
//! The errors of the HTTP client name neither the host nor the proxy, and repeat each other. This one names
//! them, and says what to do next where the reason is known.

use std::time::Duration;

/// A request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct Unreachable {
    text: String,
    kind: Kind,
}

/// What a later attempt may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing else: a setting is wrong.
    Setting,
    /// Perhaps an answer.
    Network,
    /// Perhaps an answer; this one took too long.
    Late,
}

/// How the texts of [`Kind::Setting`] begin.
const PROXY: &str = "cannot connect by a proxy";
const CERTIFICATE: &str = "the certificate of ";

impl Unreachable {
    /// A variable names no proxy. Its value may hold a password.
    pub(super) fn no_proxy(variable: &str) -> Self {
        Self::new(
            Kind::Setting,
            format!(
                "{PROXY}: {variable} is not the address of an HTTP proxy; write \
                 http://[USER:PASSWORD@]HOST[:PORT], with % codes for special characters in the password"
            ),
        )
    }

    /// The address of a host was not found.
    pub(super) fn unknown_host(host: &str, why: &str) -> Self {
        Self::new(
            Kind::Network,
            format!(
                "cannot find the address of {host}: {why}; check the region, the endpoint and the network"
            ),
        )
    }

    /// A host refuses connections, or there is no way to it.
    pub(super) fn not_connected(host: &str, why: &str) -> Self {
        Self::new(
            Kind::Network,
            format!("cannot connect to {host}: {why}; check the address, the network and NO_PROXY"),
        )
    }

    /// No connection could be made in time.
    pub(super) fn late_connection(host: &str, limit: Duration) -> Self {
        Self::new(
            Kind::Late,
            format!(
                "timeout: no connection to {host} within {limit:?}; check the address, the network, and \
                 whether a proxy is needed"
            ),
        )
    }

    /// No answer came in time.
    pub(super) fn late_answer(host: &str, limit: Duration) -> Self {
        Self::new(
            Kind::Late,
            format!("timeout: {host} sent no answer within {limit:?}"),
        )
    }

    /// The certificate of a host is not accepted.
    pub(super) fn bad_certificate(host: &str, why: &str, is_unknown: bool) -> Self {
        let advice = if is_unknown {
            "; if an authority of your own or a proxy issued it, name the authority's PEM file with \
             AWS_CA_BUNDLE"
        } else {
            ""
        };
        Self::new(
            Kind::Setting,
            format!("{CERTIFICATE}{host} is not accepted: {why}{advice}"),
        )
    }

    /// The machine has no certificate authorities.
    pub(super) fn no_authorities() -> Self {
        Self::new(
            Kind::Setting,
            format!(
                "{CERTIFICATE}no host can be accepted, since this machine has no certificate \
                 authorities; install the package ca-certificates, or name a PEM file with AWS_CA_BUNDLE"
            ),
        )
    }

    /// There is a connection, but no TLS.
    pub(super) fn no_tls(host: &str, why: &str) -> Self {
        Self::new(
            Kind::Network,
            format!("no TLS connection to {host}: {why}; check that it speaks https"),
        )
    }

    /// A proxy refuses to connect to a host.
    pub(super) fn refused_by_proxy(proxy: &str, host: &str, status: &str) -> Self {
        let (kind, advice) = match status.get(..3) {
            Some("407") => (
                Kind::Setting,
                "; write the proxy's user name and password into that variable",
            ),
            Some(code) if code.starts_with('5') => (Kind::Network, ""),
            _ => (
                Kind::Setting,
                "; allow the host there, or except it with NO_PROXY",
            ),
        };
        let start = match kind {
            Kind::Setting => format!("{PROXY}: "),
            _ => String::new(),
        };
        Self::new(
            kind,
            format!(
                "{start}{proxy} answers {status:?} to the request to connect to {host}{advice}"
            ),
        )
    }

    /// A connection ended too early.
    pub(super) fn lost(host: &str, why: &str) -> Self {
        Self::new(
            Kind::Network,
            format!("the connection to {host} broke: {why}"),
        )
    }

    fn new(kind: Kind, text: String) -> Self {
        Self { text, kind }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

/// Whether a text is that of an error that a later attempt would meet again.
pub(super) fn is_setting(text: &str) -> bool {
    text.starts_with(PROXY) || text.starts_with(CERTIFICATE)
}
