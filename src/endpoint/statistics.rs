//! What an endpoint has seen, so that a measurement can tell how a client used it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::operation::Operation;
use super::store::lock;

/// Counts since the endpoint started. Uploads are PutObject and UploadPart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes of the bodies of uploads that have arrived.
    pub bytes: u64,
    /// Requests by operation.
    pub requests: BTreeMap<&'static str, u64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Connections that sent a request.
    pub connections: u64,
    /// Most connections that were open at one time.
    pub most_connections: u64,
    /// Most uploads that were under way at one time.
    pub most_uploads: u64,
    /// Time from the first to the last byte of uploads, in seconds as JSON.
    #[serde(serialize_with = "seconds")]
    pub transfer_seconds: Duration,
    /// The durations of all uploads together, in seconds as JSON.
    #[serde(serialize_with = "seconds")]
    pub upload_seconds: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Counts what an endpoint sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    counts: Statistics,
    connections: u64,
    uploads: u64,
    first_byte: Option<Instant>,
}

impl Meter {
    pub(super) fn statistics(&self) -> Statistics {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// A connection sends its first request. It is open until the guard is dropped.
    pub(super) fn connection(&self) -> Guard<'_> {
        let state = &mut *self.state();
        state.connections += 1;
        state.counts.connections += 1;
        state.counts.most_connections = state.counts.most_connections.max(state.connections);
        Guard {
            meter: self,
            upload_since: None,
        }
    }

    /// A request arrives. If it is an upload, it is under way until the guard is dropped.
    pub(super) fn request(&self, operation: Operation) -> Option<Guard<'_>> {
        let state = &mut *self.state();
        *state.counts.requests.entry(operation.name()).or_default() += 1;
        is_upload(operation).then(|| {
            state.uploads += 1;
            state.counts.most_uploads = state.counts.most_uploads.max(state.uploads);
            Guard {
                meter: self,
                upload_since: Some(Instant::now()),
            }
        })
    }

    /// Bytes of an upload have arrived.
    pub(super) fn arrived(&self, bytes: usize) {
        let state = &mut *self.state();
        let now = Instant::now();
        state.counts.bytes += bytes as u64;
        state.counts.transfer_seconds = now - *state.first_byte.get_or_insert(now);
    }

    pub(super) fn answered(&self, status: u16) {
        *self.state().counts.statuses.entry(status).or_default() += 1;
    }
}

/// Whether the body of an operation is that of an object or a part.
pub(super) fn is_upload(operation: Operation) -> bool {
    matches!(operation, Operation::PutObject | Operation::UploadPart)
}

/// An open connection, or an upload that is under way.
pub(super) struct Guard<'a> {
    meter: &'a Meter,
    upload_since: Option<Instant>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let state = &mut *self.meter.state();
        match self.upload_since {
            None => state.connections -= 1,
            Some(since) => {
                state.uploads -= 1;
                state.counts.upload_seconds += since.elapsed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_one_time_is_kept_and_json_has_seconds() {
        let meter = Meter::default();
        let (first, second) = (meter.connection(), meter.connection());
        let uploads = [(); 2].map(|()| meter.request(Operation::UploadPart));
        assert!(meter.request(Operation::HeadBucket).is_none());
        meter.arrived(10);
        meter.answered(200);
        drop((first, second, uploads));
        drop(meter.request(Operation::PutObject));
        let json = serde_json::to_value(meter.statistics()).unwrap();
        for (name, value) in [
            ("bytes", 10),
            ("connections", 2),
            ("most_connections", 2),
            ("most_uploads", 2),
        ] {
            assert_eq!(json[name], value, "{name}");
        }
        assert_eq!(json["requests"]["UploadPart"], 2);
        assert_eq!(json["statuses"]["200"], 1);
        assert!(json["upload_seconds"].is_f64());
    }
}
