//! A log of requests, for people who try a client out: one entry for each, when its answer begins.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Body as _;
use hyper::http::request::Parts;
use s3s::{Body, HttpResponse};

use super::link::PacedBody;
use super::operation::Operation;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The method of HTTP.
    pub method: String,
    /// Path and query as they were sent: the key of an object is percent-encoded.
    pub target: String,
    /// What was asked for, as the API names it, or `Other`.
    pub operation: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Bytes of the answer's body, if they are known before it is sent.
    pub sent: Option<u64>,
    /// From the request's head to the answer's.
    pub took: Duration,
}

impl Answered {
    /// A request without bodies.
    #[must_use]
    pub fn new(method: &str, target: &str, operation: &'static str, status: u16) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            operation,
            status,
            received: 0,
            sent: Some(0),
            took: Duration::ZERO,
        }
    }
}

/// Gets each request that was answered.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&Answered) + Send + Sync>);

impl Log {
    /// Calls `tell` for each request, on the threads that answer them.
    pub fn new(tell: impl Fn(&Answered) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn tell(&self, answered: &Answered) {
        (self.0)(answered);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

/// A request that is being answered.
pub(super) struct Entry {
    method: String,
    target: String,
    operation: Operation,
    received: Arc<AtomicU64>,
    since: Instant,
}

impl Entry {
    pub(super) fn begin(head: &Parts, operation: Operation) -> Self {
        let target = head
            .uri
            .path_and_query()
            .map_or("*", |target| target.as_str());
        Self {
            method: head.method.to_string(),
            target: target.to_owned(),
            operation,
            received: Arc::default(),
            since: Instant::now(),
        }
    }

    /// The request's body, whose bytes are counted as they are read.
    pub(super) fn counted(&self, body: Body) -> Body {
        let received = Arc::clone(&self.received);
        PacedBody::wrap(body, Vec::new(), move |bytes| {
            received.fetch_add(bytes as u64, Ordering::Relaxed);
        })
    }

    pub(super) fn end(self, response: &HttpResponse) -> Answered {
        Answered {
            method: self.method,
            target: self.target,
            operation: self.operation.name(),
            status: response.status().as_u16(),
            received: self.received.load(Ordering::Relaxed),
            sent: response.body().size_hint().exact(),
            took: self.since.elapsed(),
        }
    }
}
