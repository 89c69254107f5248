//! Credentials that expired while they were in use: asked for once more, from the beginning.
//!
//! The SDK asks for new ones before the old expire, if it knows when that is. It does not for keys
//! that somebody else writes into a file or the environment of a container, nor for a session that was
//! revoked: then a service says `ExpiredToken`, and the SDK goes on with what it has in its cache. So
//! here the cache can be emptied, and with it what providers keep for themselves: the files of a
//! profile are read again, a process is run again.
//!
//! It refuses to do that twice for one request: who gets old credentials once more will get them
//! again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

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

use crate::aws::error::CallError;

type Making = Pin<Box<dyn Future<Output = Option<SharedCredentialsProvider>> + Send>>;
type Make = dyn Fn() -> Making + Send + Sync;

/// The credentials of a push, which can be told to be new. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Renewal(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// How often they were renewed.
    generation: AtomicU64,
    /// Held by the one who forgets them.
    forgetting: Mutex<()>,
    cache: Cache,
    provider: Option<Provider>,
}

impl Renewal {
    /// Credentials of `provider`, and after the first time of what `make` gives.
    pub(super) fn new(
        provider: SharedCredentialsProvider,
        make: impl Fn() -> Making + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(State {
            generation: AtomicU64::new(0),
            forgetting: Mutex::default(),
            cache: Cache::default(),
            provider: Some(Provider(Arc::new(Chain {
                now: Mutex::new(Some(provider)),
                make: Box::new(make),
            }))),
        }))
    }

    /// What a client shall ask for credentials.
    pub(super) fn provider(&self) -> Option<SharedCredentialsProvider> {
        self.0.provider.clone().map(SharedCredentialsProvider::new)
    }

    /// Where a client shall keep them.
    pub(super) fn cache(&self) -> SharedIdentityCache {
        SharedIdentityCache::new(self.0.cache.clone())
    }

    /// Makes a request, and makes it again, with new credentials, if those it had are expired.
    ///
    /// # Errors
    ///
    /// That of the last one.
    pub async fn fresh<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let seen = self.0.generation.load(Ordering::Acquire);
        match attempt().await {
            Err(error) if error.is_expired() => {
                self.forget(seen).await;
                attempt().await
            }
            done => done,
        }
    }

    /// Forgets the credentials of generation `seen`. Requests that were under way together fail
    /// together: the first of them forgets for all, and the others wait until it has, since they would
    /// get the old ones once more.
    async fn forget(&self, seen: u64) {
        let State {
            generation,
            forgetting,
            cache,
            provider,
        } = &*self.0;
        let _forgetting = forgetting.lock().await;
        if generation.load(Ordering::Acquire) != seen {
            return;
        }
        if let Some(Provider(chain)) = provider {
            *chain.now.lock().await = None;
        }
        cache.empty();
        // Last: who sees the new number gets new credentials.
        generation.store(seen + 1, Ordering::Release);
    }
}

/// The SDK's cache of identities, which can be emptied.
#[derive(Clone, Debug)]
struct Cache(Arc<RwLock<SharedIdentityCache>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(IdentityCache::lazy().build())))
    }
}

impl Cache {
    fn empty(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = IdentityCache::lazy().build();
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

/// A chain of providers, which can be made anew.
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
    async fn what_expired_is_renewed_once_for_all_who_saw_it() {
        let renewal = Renewal::default();
        let expire = Arc::new(AtomicUsize::new(0));
        // Three requests under way, which are refused together.
        let gate = Arc::new(tokio::sync::Barrier::new(3));
        let request = || {
            let (renewal, expire, gate) = (renewal.clone(), Arc::clone(&expire), Arc::clone(&gate));
            async move {
                renewal
                    .fresh(|| async {
                        if expire.fetch_add(1, Ordering::SeqCst) < 3 {
                            gate.wait().await;
                            return Err(expired());
                        }
                        Ok(())
                    })
                    .await
            }
        };
        let done = tokio::join!(request(), request(), request());
        assert_eq!(done, (Ok(()), Ok(()), Ok(())));
        assert_eq!(renewal.0.generation.load(Ordering::SeqCst), 1);
    }

    /// Whoever came second asked again before the first had made an end of the old ones.
    #[tokio::test]
    async fn nobody_asks_again_before_the_old_ones_are_forgotten() {
        use aws_credential_types::Credentials;

        let old = Credentials::new("OLD", "secret", None, None, "test");
        let renewal = Renewal::new(SharedCredentialsProvider::new(old), || {
            Box::pin(async { None })
        });
        let asked = AtomicUsize::new(0);
        let request = || {
            renewal.fresh(|| async {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                if number < 2 { Err(expired()) } else { Ok(()) }
            })
        };
        let Some(Provider(chain)) = &renewal.0.provider else {
            panic!("no provider");
        };
        // The first one waits for this.
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
    async fn what_is_expired_again_is_told() {
        let renewal = Renewal::default();
        let asked = AtomicUsize::new(0);
        let answer = renewal
            .fresh(|| async {
                asked.fetch_add(1, Ordering::SeqCst);
                Err::<(), _>(expired())
            })
            .await;
        assert_eq!(answer, Err(expired()));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
