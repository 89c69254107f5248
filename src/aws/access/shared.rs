//! Credentials that clients in several regions share, so that each profile's are looked for once: a code of
//! an MFA device can be used only once, and a program that gives credentials may ask for a password.

use std::sync::{Arc, Mutex, PoisonError};

use super::Access;
use crate::aws::credentials::CredentialRefresh;

/// The credentials that were found, by the names of profiles. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SharedCredentials(Arc<Mutex<Vec<(Option<String>, CredentialRefresh)>>>);

impl PartialEq for SharedCredentials {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedCredentials {}

impl SharedCredentials {
    /// Those that were found for this profile. None if requests are not signed with a profile's.
    pub(super) fn of(access: &Access) -> Option<CredentialRefresh> {
        if access.no_sign || access.anonymous || access.keys.is_some() {
            return None;
        }
        let all = access.shared.as_ref()?.0.lock();
        let all = all.unwrap_or_else(PoisonError::into_inner);
        let mut known = all.iter().filter(|(profile, _)| *profile == access.profile);
        known.next().map(|(_, found)| found.clone())
    }

    /// Keeps what was found.
    pub(super) fn keep(access: &Access, found: &CredentialRefresh) {
        if let Some(shared) = &access.shared {
            let mut all = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((access.profile.clone(), found.clone()));
        }
    }
}
