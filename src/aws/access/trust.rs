//! Which certificates are accepted: those of the system's authorities, of a CA bundle, or all.
//!
//! As with the AWS CLI, a CA bundle replaces the system's authorities. It comes from the command line,
//! `AWS_CA_BUNDLE`, `ca_bundle` in the profile, or `REQUESTS_CA_BUNDLE`; the SDK reads none of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::unverified::AnyCertificate;
use super::{Access, Error};
use crate::aws::unreachable::Unreachable;

/// The CA bundle to use, if one is named. A first `~` in its path is not yet replaced.
pub(super) fn bundle(
    access: &Access,
    variable: impl Fn(&str) -> Option<String>,
    of_profile: Option<&str>,
) -> Option<PathBuf> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    access
        .ca_bundle
        .clone()
        .or_else(|| variable("AWS_CA_BUNDLE").map(PathBuf::from))
        .or_else(|| of_profile.map(PathBuf::from))
        .or_else(|| variable("REQUESTS_CA_BUNDLE").map(PathBuf::from))
}

/// Which certificates are accepted. Clones share what was read.
#[derive(Clone)]
pub(super) struct Trust(Arc<State>);

struct State {
    trusted: Trusted,
    /// Made for the first connection, since reading the system's authorities takes time.
    config: OnceLock<Option<Arc<ClientConfig>>>,
}

enum Trusted {
    System,
    Only(RootCertStore),
    All,
}

impl Trust {
    /// The authorities of the system.
    pub(super) fn system() -> Self {
        Self::new(Trusted::System)
    }

    /// Every certificate, which is insecure.
    pub(super) fn all() -> Self {
        Self::new(Trusted::All)
    }

    /// The authorities of a PEM file, and no others.
    ///
    /// # Errors
    ///
    /// [`Error::CaBundle`], [`Error::NoAuthority`].
    pub(super) fn only(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|source| Error::CaBundle {
            path: path.to_owned(),
            source,
        })?;
        let store = usable(&text);
        if store.is_empty() {
            return Err(Error::NoAuthority {
                path: path.to_owned(),
            });
        }
        Ok(Self::new(Trusted::Only(store)))
    }

    fn new(trusted: Trusted) -> Self {
        Self(Arc::new(State {
            trusted,
            config: OnceLock::new(),
        }))
    }

    /// The settings of TLS.
    ///
    /// # Errors
    ///
    /// The system has no authorities.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Unreachable> {
        let config = self.0.config.get_or_init(|| self.0.trusted.config());
        config.clone().ok_or_else(Unreachable::no_authorities)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.trusted {
            Trusted::System => "System",
            Trusted::Only(_) => "Only",
            Trusted::All => "All",
        })
    }
}

impl Trusted {
    fn config(&self) -> Option<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        // The provider has suites for both versions of TLS.
        let builder = builder.with_safe_default_protocol_versions().ok()?;
        let builder = match self {
            Self::System => {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                builder.with_root_certificates(Some(store).filter(|store| !store.is_empty())?)
            }
            Self::Only(store) => builder.with_root_certificates(store.clone()),
            Self::All => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(Arc::new(config))
    }
}

/// The certificates of a PEM file that can be trust anchors.
fn usable(text: &[u8]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(CertificateDer::pem_slice_iter(text).flatten());
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = include_str!("../../../tests/it/support/tls/authority.pem");

    #[test]
    fn certificates_that_cannot_be_trust_anchors_are_left_out() {
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let mixed = format!("# a comment\n{broken}{AUTHORITY}{broken}");
        assert_eq!(usable(mixed.as_bytes()).len(), 1);
        for nothing in ["", "hello", broken] {
            assert!(usable(nothing.as_bytes()).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_ca_bundle_is_chosen_as_the_aws_cli_chooses_it() {
        let all = [("AWS_CA_BUNDLE", "aws"), ("REQUESTS_CA_BUNDLE", "requests")];
        let chosen = |option: Option<&str>, set: &[(&str, &str)], of_profile| {
            let access = Access {
                ca_bundle: option.map(PathBuf::from),
                ..Access::default()
            };
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            bundle(&access, variable, of_profile)
        };
        let expected = |path: &str| Some(PathBuf::from(path));
        assert_eq!(
            chosen(Some("option"), &all, Some("profile")),
            expected("option")
        );
        assert_eq!(chosen(None, &all, Some("profile")), expected("aws"));
        assert_eq!(
            chosen(None, &all[1..], Some("profile")),
            expected("profile")
        );
        assert_eq!(chosen(None, &all[1..], None), expected("requests"));
        let empty = [("AWS_CA_BUNDLE", ""), ("REQUESTS_CA_BUNDLE", "")];
        assert_eq!(chosen(None, &empty, None), None);
    }
}
