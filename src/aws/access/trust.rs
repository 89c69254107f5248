//! Trusts the certificate authorities of a CA bundle, and no others.
//!
//! As with the AWS CLI, a CA bundle replaces the system's authorities. It comes from the command line,
//! `AWS_CA_BUNDLE`, or `ca_bundle` in the profile, none of which the SDK reads. The HTTP client is the
//! SDK's own; it panics on a certificate that it cannot use, so such certificates are left out before.

use std::path::{Path, PathBuf};

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use base64_simd::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::environment::Environment;
use super::profile::Profile;
use super::{Access, Error, IDLE};

/// The CA bundle to use, if one is named.
pub(super) fn bundle(
    access: &Access,
    profile: &Profile,
    environment: &Environment,
) -> Option<PathBuf> {
    access
        .ca_bundle
        .clone()
        .or_else(|| environment.path("AWS_CA_BUNDLE"))
        .or_else(|| profile.get("ca_bundle").map(PathBuf::from))
}

/// The SDK's HTTP client, with its proxies. It trusts the authorities in `path`, or those of the system.
///
/// # Errors
///
/// [`Error::CaBundle`], [`Error::NoAuthority`].
pub(super) fn client(path: Option<&Path>) -> Result<SharedHttpClient, Error> {
    let context = path.map(context).transpose()?;
    // As the SDK makes its own client, except for the context and the time that connections are kept.
    let builder = Builder::new().pool_idle_timeout(IDLE);
    Ok(
        builder.build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder()
                .pool_idle_timeout(IDLE)
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            if let Some(context) = &context {
                connector.set_tls_context(context.clone());
            }
            connector.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            connector.build()
        }),
    )
}

/// Trusts the authorities of the PEM file at `path`, and no others.
fn context(path: &Path) -> Result<TlsContext, Error> {
    let text = std::fs::read(path).map_err(|source| Error::CaBundle {
        path: path.to_owned(),
        source,
    })?;
    let pem = usable(&text).ok_or_else(|| Error::NoAuthority {
        path: path.to_owned(),
    })?;
    let store = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map_err(|error| Error::CaBundle {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })
}

/// The certificates of a PEM file that can be trust anchors, as PEM again. None if no certificate can.
fn usable(text: &[u8]) -> Option<String> {
    let mut store = RootCertStore::empty();
    let pem: String = CertificateDer::pem_slice_iter(text)
        .flatten()
        .filter(|der| store.add(der.clone()).is_ok())
        .map(|der| {
            let base64 = STANDARD.encode_to_string(&der);
            format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
        })
        .collect();
    Some(pem).filter(|pem| !pem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = include_str!("../../../tests/it/support/tls/authority.pem");

    #[test]
    fn certificates_that_cannot_be_trust_anchors_are_left_out() {
        let whole = usable(AUTHORITY.as_bytes()).unwrap();
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let mixed = format!("# a comment\n{broken}{AUTHORITY}{broken}");
        assert_eq!(usable(mixed.as_bytes()).unwrap(), whole);
        for nothing in ["", "hello", broken] {
            assert_eq!(usable(nothing.as_bytes()), None, "{nothing}");
        }
        assert_eq!(usable(whole.as_bytes()).unwrap(), whole);
    }
}
