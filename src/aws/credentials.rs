//! Credentials that expired while they were in use are asked for once more, from their source.
//!
//! The SDK asks for new credentials before the old ones expire, if it knows when that is. It does not know
//! for keys that another program writes into a file or into a container's environment, nor for a session
//! that was revoked. The service then answers `ExpiredToken`, and the SDK goes on using its cache. So the
//! cache can be emptied here, and with it what providers keep for themselves: the files of a profile are
//! read again, and a credential process runs again.
//!
//! One request renews them once only: credentials that are still old after that stay old.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future,
};
use aws_sdk_s3::config::{ConfigBag, RuntimeComponents};
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use tokio::sync::Mutex;

use super::error::CallError;

type Making = Pin<Box<dyn Future<Output = Option<SharedCredentialsProvider>> + Send>>;
type Make = dyn Fn() -> Making + Send + Sync;

/// The credentials of both clients, which can be renewed. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct CredentialRefresh(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// How often they were renewed.
    generation: AtomicU64,
    /// Held while they are renewed.
    renewing: Mutex<()>,
    cache: Cache,
    provider: Option<Provider>,
}

impl CredentialRefresh {
    /// Credentials of `provider`, and after each renewal of what `make` gives.
    pub(super) fn new(
        provider: SharedCredentialsProvider,
        make: impl Fn() -> Making + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(State {
            provider: Some(Provider(Arc::new(Chain {
                now: Mutex::new(Some(provider)),
                make: Box::new(make),
            }))),
            ..State::default()
        }))
    }

    /// Where a client gets its credentials. None if it has none that can be renewed.
    pub(super) fn provider(&self) -> Option<SharedCredentialsProvider> {
        self.0.provider.clone().map(SharedCredentialsProvider::new)
    }

    /// Where a client keeps its credentials.
    pub(super) fn cache(&self) -> SharedIdentityCache {
        SharedIdentityCache::new(self.0.cache.clone())
    }

    /// Makes a request, and makes it again with new credentials if its credentials had expired.
    pub(super) async fn refreshing<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        attempt: &impl Fn() -> F,
    ) -> Result<T, CallError> {
        let seen = self.0.generation.load(Ordering::Acquire);
        match attempt().await {
            Err(error) if error.is_expired() => {
                self.renew(seen).await;
                attempt().await
            }
            done => done,
        }
    }

    /// Forgets the credentials of generation `seen`. Requests that were sent together fail together: the
    /// first of them renews for all, and the others wait for that, since they would get the old
    /// credentials otherwise.
    async fn renew(&self, seen: u64) {
        let State {
            generation,
            renewing,
            cache,
            provider,
        } = &*self.0;
        let _renewing = renewing.lock().await;
        if generation.load(Ordering::Acquire) != seen {
            return;
        }
        if let Some(Provider(chain)) = provider {
            *chain.now.lock().await = None;
        }
        cache.empty();
        // Last: a request that sees the new number must get new credentials.
        generation.store(seen + 1, Ordering::Release);
    }
}

/// The SDK's cache of identities, which can be emptied.
#[derive(Clone, Debug)]
struct Cache(Arc<RwLock<SharedIdentityCache>>);

/// How long a source of credentials may take. A program of the user's may wait for a person; the SDK's five
/// seconds would end it.
const LOADING: Duration = Duration::from_secs(600);

fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().load_timeout(LOADING).build()
}

impl Default for Cache {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(cache())))
    }
}

impl Cache {
    fn empty(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = cache();
    }
}

impl ResolveCachedIdentity for Cache {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let now = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        IdentityFuture::new(async move {
            let identity = now.resolve_cached_identity(resolver, components, config);
            identity.await
        })
    }
}

/// A chain of providers that can be replaced by a new one.
#[derive(Clone)]
struct Provider(Arc<Chain>);

struct Chain {
    now: Mutex<Option<SharedCredentialsProvider>>,
    make: Box<Make>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

impl Provider {
    async fn credentials(&self) -> Provided {
        let mut now = self.0.now.lock().await;
        let provider = match &*now {
            Some(provider) => provider.clone(),
            None => {
                let made = (self.0.make)().await;
                let made = made.ok_or_else(CredentialsError::not_loaded_no_source)?;
                now.insert(made).clone()
            }
        };
        drop(now);
        provider.provide_credentials().await
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn expired() -> CallError {
        CallError::refused("UploadPart", Some("ExpiredToken"), None)
    }

    #[tokio::test]
    async fn requests_that_expire_together_renew_the_credentials_once() {
        let refresh = CredentialRefresh::default();
        let asked = AtomicUsize::new(0);
        // Three requests are refused together.
        let gate = tokio::sync::Barrier::new(3);
        let attempt = || async {
            if asked.fetch_add(1, Ordering::SeqCst) < 3 {
                gate.wait().await;
                return Err(expired());
            }
            Ok(())
        };
        let request = || refresh.refreshing(&attempt);
        let done = tokio::join!(request(), request(), request());
        assert_eq!(done, (Ok(()), Ok(()), Ok(())));
        assert_eq!(refresh.0.generation.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn no_request_is_repeated_before_the_old_credentials_are_forgotten() {
        use aws_credential_types::Credentials;

        let old = Credentials::new("OLD", "secret", None, None, "test");
        let refresh = CredentialRefresh::new(SharedCredentialsProvider::new(old), || {
            Box::pin(async { None })
        });
        let asked = AtomicUsize::new(0);
        let attempt = || async {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            if number < 2 { Err(expired()) } else { Ok(()) }
        };
        let request = || refresh.refreshing(&attempt);
        let Some(Provider(chain)) = &refresh.0.provider else {
            panic!("no provider");
        };
        // The first request waits for this.
        let in_use = chain.now.lock().await;
        let later = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let asked = asked.load(Ordering::SeqCst);
            drop(in_use);
            asked
        };
        let (one, other, asked_before) = tokio::join!(request(), request(), later);
        assert_eq!((one, other, asked_before), (Ok(()), Ok(()), 2));
        assert_eq!(asked.load(Ordering::SeqCst), 4);
        assert!(chain.now.lock().await.is_none());
    }

    #[tokio::test]
    async fn a_second_expiry_is_the_answer() {
        let asked = AtomicUsize::new(0);
        let attempt = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(expired())
        };
        let answer = CredentialRefresh::default().refreshing(&attempt).await;
        assert_eq!(answer, Err(expired()));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
