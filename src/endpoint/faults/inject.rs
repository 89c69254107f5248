//! The faults as a client meets them: connections that end, answers that do not come, bodies that
//! are not what was sent.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, StdError};
use serde::Deserialize;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::super::codedeploy;
use super::super::server::{self, Server, internal_error, json_response, signed_region};
use super::{Action, Asked, Clock, Fault, Faults, Operation, Refusal, When, allowed};

/// Most of a refused body that is read, so that the client gets to read the answer, in bytes.
const MAX_DRAINED: usize = 64 << 20;

/// Time for the bytes before a broken connection to leave.
const FLUSH: Duration = Duration::from_millis(20);

/// A connection, as far as a request may end it.
pub(crate) struct Line {
    cut: CancellationToken,
    stop: CancellationToken,
}

impl Line {
    /// A connection of an endpoint that ends with `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            cut: CancellationToken::new(),
            stop,
        }
    }

    /// What `work` gives, unless the connection is to be reset.
    pub(crate) async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cut.run_until_cancelled(work).await
    }

    /// Resets the connection; whoever waits for this is dropped with it.
    async fn reset(&self) -> Infallible {
        self.cut.cancel();
        pending().await
    }

    /// Says nothing for as long as the endpoint lives.
    async fn stall(&self) -> Infallible {
        self.stop.cancelled().await;
        self.reset().await
    }
}

/// Answers a request as the server would, unless it is to be otherwise.
pub(crate) async fn handle(
    server: &Server,
    faults: &Faults,
    request: Request<Incoming>,
    line: &Line,
) -> HttpResponse {
    let request = request.map(Body::from);
    let (head, body) = request.into_parts();
    let asked = Asked::of(&head);
    let (index, fault) = faults.note(&asked, key_id(&head.headers));
    let request = Request::from_parts(head, body);
    let end = match fault {
        Some(Fault::Reset(when)) => Some((when, true)),
        Some(Fault::Stall(when)) => Some((when, false)),
        _ => None,
    };
    let response = match (end, fault) {
        (Some((When::BeforeBody, resets)), _) => {
            // It is held while nobody reads it.
            let _request = request;
            return end_of(line, resets).await;
        }
        (Some((When::AfterBody, resets)), _) => {
            read_all(request.into_body()).await;
            return end_of(line, resets).await;
        }
        (_, Some(Fault::Refuse(refusal))) => refuse(refusal, None, &asked, request).await,
        (_, Some(Fault::RefuseInside(refusal))) => {
            read_all(request.into_body()).await;
            refusal_inside(refusal)
        }
        (_, Some(Fault::Slow(rate))) => {
            let request = request.map(|body| Troubled::wrap(body, Trouble::Slow(rate)));
            let response = judge(server, faults, index, &asked, request).await;
            response.map(|body| Troubled::wrap(body, Trouble::Slow(rate)))
        }
        (_, Some(Fault::Corrupt)) => {
            let request = request.map(|body| Troubled::wrap(body, Trouble::Flip));
            judge(server, faults, index, &asked, request).await
        }
        (_, Some(Fault::CorruptAnswer)) => judge(server, faults, index, &asked, request)
            .await
            .map(|body| Troubled::wrap(body, Trouble::Flip)),
        (_, Some(Fault::Truncate(bytes))) => judge(server, faults, index, &asked, request)
            .await
            .map(|body| Troubled::wrap(body, Trouble::CutAfter(bytes))),
        (_, Some(Fault::Reset(_) | Fault::Stall(_)) | None) => {
            judge(server, faults, index, &asked, request).await
        }
    };
    if let Some((_, resets)) = end {
        drop(response);
        return end_of(line, resets).await;
    }
    faults.answered(index, response.status().as_u16());
    response
}

async fn end_of(line: &Line, resets: bool) -> HttpResponse {
    let never = if resets {
        line.reset().await
    } else {
        line.stall().await
    };
    match never {}
}

/// Asks the server, if the clock, the credentials and the policy let it be asked.
async fn judge(
    server: &Server,
    faults: &Faults,
    index: usize,
    asked: &Asked,
    request: Request<Body>,
) -> HttpResponse {
    let (clock, allowed) = {
        let state = faults.state();
        (state.clock, state.allowed.clone())
    };
    let token = request.headers().get("x-amz-security-token");
    let token = token.and_then(|token| token.to_str().ok());
    let credentials: Vec<&str> = key_id(request.headers()).into_iter().chain(token).collect();
    if faults.has_expired(&credentials) {
        faults.refused(index, Refusal::ExpiredToken);
        return refuse(Refusal::ExpiredToken, None, asked, request).await;
    }
    let mut response = if clock.refuses(asked, request.headers()) {
        too_skewed(asked, request).await
    } else if let Some(allowed) = allowed {
        judge_by_policy(server, faults, index, &allowed, asked, request).await
    } else {
        server.answer(request).await
    };
    if clock != Clock::default()
        && let Some(date) = http_date(clock.now())
    {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn judge_by_policy(
    server: &Server,
    faults: &Faults,
    index: usize,
    allowed: &BTreeSet<Action>,
    asked: &Asked,
    request: Request<Body>,
) -> HttpResponse {
    let denied = match allowed::denied(allowed, asked, request.headers()) {
        Ok(None) => None,
        Ok(Some(action)) => Some(action.name()),
        Err(()) => Some("an action of an operation that is not offered here"),
    };
    if let Some(action) = denied {
        faults.refused(index, Refusal::AccessDenied);
        let (request, application) = application(asked, request).await;
        let region = signed_region(request.headers()).unwrap_or(codedeploy::DEFAULT_REGION);
        let message = allowed::refusal(asked, action, region, &application);
        let mut response = refuse(Refusal::AccessDenied, Some(message), asked, request).await;
        name_region(server, asked, &mut response);
        return response;
    }
    let reads = matches!(
        asked.operation,
        Operation::GetObject | Operation::HeadObject
    );
    let method = request.method().clone();
    let response = server.answer(request).await;
    // Who may not list a bucket does not learn what is not in it.
    let hides = reads
        && response.status() == StatusCode::NOT_FOUND
        && !faults.allows(Action::ListBucket)
        && asked
            .bucket
            .as_deref()
            .is_some_and(|name| server.store.bucket(name).is_ok());
    if !hides {
        return response;
    }
    faults.refused(index, Refusal::AccessDenied);
    let message = allowed::refusal(asked, Action::ListBucket.name(), "", "");
    let empty = Request::builder().method(method).body(Body::empty());
    match empty {
        Ok(empty) => refuse(Refusal::AccessDenied, Some(message), asked, empty).await,
        Err(_) => internal_error(),
    }
}

/// S3 names a bucket's region even to those who may not ask for the bucket.
fn name_region(server: &Server, asked: &Asked, response: &mut HttpResponse) {
    if asked.operation == Operation::HeadBucket
        && let Some(bucket) = asked.bucket.as_deref()
        && let Ok(bucket) = server.store.bucket(bucket)
        && let Ok(region) = HeaderValue::try_from(bucket.region)
    {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
}

/// The application that a request to CodeDeploy names, and the request again.
async fn application(asked: &Asked, request: Request<Body>) -> (Request<Body>, String) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        application_name: String,
    }

    if !asked.codedeploy {
        return (request, String::new());
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, server::MAX_JSON).collect().await;
    let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let named = serde_json::from_slice(&body).map(|named: Named| named.application_name);
    let request = Request::from_parts(head, Body::from(body));
    (request, named.unwrap_or_else(|_| "*".to_owned()))
}

/// Answers with an error of the service that was asked.
async fn refuse(
    refusal: Refusal,
    message: Option<String>,
    asked: &Asked,
    request: Request<Body>,
) -> HttpResponse {
    // A client that waits for `100 Continue` has not begun to write.
    if !request.headers().contains_key(header::EXPECT) {
        read_all(request.into_body()).await;
    }
    let (status, code, text) = if asked.codedeploy {
        refusal.codedeploy()
    } else {
        refusal.s3()
    };
    answer(
        asked,
        status,
        code,
        message.unwrap_or_else(|| text.to_owned()),
    )
}

/// An error, as the service that was asked writes it.
fn answer(asked: &Asked, status: u16, code: &'static str, message: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if asked.codedeploy {
        let failure = codedeploy::Failure {
            code,
            message,
            internal: false,
        };
        let mut response = json_response(Err(failure));
        *response.status_mut() = status;
        response
    } else {
        let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
        error.set_status_code(status);
        error
            .to_http_response()
            .unwrap_or_else(|_| internal_error())
    };
    server::name_request(asked.codedeploy, &mut response);
    response
}

/// 200 at first, and then an error after all.
fn refusal_inside(refusal: Refusal) -> HttpResponse {
    let (_, code, message) = refusal.s3();
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let frames = [head, "   ", "\n\n", &*error].map(|text| {
        let frame = Frame::data(Bytes::copy_from_slice(text.as_bytes()));
        Ok::<_, Infallible>(frame)
    });
    // In pieces: its length is not known when it begins.
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
    let mut response = HttpResponse::new(Body::http_body_unsync(body));
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    server::name_request(false, &mut response);
    response
}

async fn too_skewed(asked: &Asked, request: Request<Body>) -> HttpResponse {
    read_all(request.into_body()).await;
    if asked.codedeploy {
        let message = "Signature expired or not yet current: check the clock".to_owned();
        answer(asked, 400, "InvalidSignatureException", message)
    } else {
        let message = "The difference between the request time and the current time is too large.";
        answer(asked, 403, "RequestTimeTooSkewed", message.to_owned())
    }
}

/// Reads a body to its end, or far enough.
async fn read_all(mut body: Body) {
    let mut read = 0;
    while read < MAX_DRAINED
        && let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// The access key id that a request is signed with: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn key_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = value.split_once("Credential=")?;
    credential.split('/').next()
}

impl Clock {
    fn now(self) -> SystemTime {
        let now = SystemTime::now();
        let there = if self.behind {
            now.checked_sub(self.by)
        } else {
            now.checked_add(self.by)
        };
        there.unwrap_or(now)
    }

    /// Whether a request is signed for another time than that of this clock.
    fn refuses(self, asked: &Asked, headers: &HeaderMap) -> bool {
        if self == Self::default() {
            return false;
        }
        let signed = headers
            .get("x-amz-date")
            .and_then(|date| date.to_str().ok());
        let Some(signed) = signed.and_then(seconds) else {
            return false;
        };
        let now = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let minutes = if asked.codedeploy { 5 } else { 15 };
        now.as_secs().abs_diff(signed) > minutes * 60
    }
}

/// Seconds since 1970 of a time such as `20260101T000000Z`.
fn seconds(text: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| text.get(from..to);
    let extended = format!(
        "{}-{}-{}T{}:{}:{}Z",
        digits(0, 4)?,
        digits(4, 6)?,
        digits(6, 8)?,
        digits(9, 11)?,
        digits(11, 13)?,
        digits(13, 15)?
    );
    let time = Timestamp::parse(TimestampFormat::DateTime, &extended).ok()?;
    let mut seconds = Vec::new();
    time.format(TimestampFormat::EpochSeconds, &mut seconds)
        .ok()?;
    let seconds = String::from_utf8(seconds).ok()?;
    seconds.split('.').next()?.parse().ok()
}

fn http_date(time: SystemTime) -> Option<HeaderValue> {
    let mut text = Vec::new();
    let time = Timestamp::from(time);
    time.format(TimestampFormat::HttpDate, &mut text).ok()?;
    HeaderValue::from_bytes(&text).ok()
}

/// What becomes of the bytes of a body.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// So many pass in a second.
    Slow(u64),
    /// One bit of the first one changes.
    Flip,
    /// So many pass.
    CutAfter(u64),
}

/// A body that does not pass as it is.
struct Troubled {
    inner: Body,
    trouble: Trouble,
    passed: u64,
    /// Nothing comes any more but an error, once what came before it is on its way.
    broken: Option<Pin<Box<Sleep>>>,
    /// Bytes that pass once there was time for them.
    held: Option<(Bytes, Pin<Box<Sleep>>)>,
}

impl Troubled {
    fn wrap(inner: Body, trouble: Trouble) -> Body {
        Body::http_body_unsync(Self {
            inner,
            trouble,
            passed: 0,
            broken: None,
            held: None,
        })
    }
}

impl hyper::body::Body for Troubled {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        loop {
            if let Some(time) = &mut this.broken {
                ready!(time.as_mut().poll(cx));
                let end = io::Error::from(io::ErrorKind::ConnectionAborted);
                return Poll::Ready(Some(Err(end.into())));
            }
            if let Some((bytes, time)) = &mut this.held {
                ready!(time.as_mut().poll(cx));
                let bytes = std::mem::take(bytes);
                this.held = None;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            let mut bytes = match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) => continue,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            };
            let first = this.passed == 0;
            this.passed += bytes.len() as u64;
            match this.trouble {
                Trouble::Slow(rate) => {
                    let millis = (bytes.len() as u64).saturating_mul(1000) / rate.max(1);
                    let time = tokio::time::sleep(Duration::from_millis(millis));
                    this.held = Some((bytes, Box::pin(time)));
                    continue;
                }
                Trouble::Flip if first => {
                    let mut flipped = bytes.to_vec();
                    flipped[0] ^= 1;
                    bytes = flipped.into();
                }
                Trouble::CutAfter(most) if this.passed > most => {
                    let over = usize::try_from(this.passed - most).unwrap_or(usize::MAX);
                    bytes.truncate(bytes.len().saturating_sub(over));
                    this.broken = Some(Box::pin(tokio::time::sleep(FLUSH)));
                    if bytes.is_empty() {
                        continue;
                    }
                }
                Trouble::Flip | Trouble::CutAfter(_) => {}
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_signatures_are_read() {
        assert_eq!(seconds("19700101T000001Z"), Some(1));
        assert_eq!(seconds("20260101T000000Z"), Some(1_767_225_600));
        for bad in ["", "2026", "20261301T000000Z", "2026-01-01T00:00:00Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    async fn passed(trouble: Trouble, pieces: &[&'static [u8]]) -> (Vec<u8>, bool) {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece))))
            .collect();
        let stream = futures_util::stream::iter(frames);
        let inner = Body::http_body_unsync(http_body_util::StreamBody::new(stream));
        let mut body = Troubled::wrap(inner, trouble);
        let mut got = Vec::new();
        loop {
            match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                None => return (got, true),
                Some(Err(_)) => return (got, false),
                Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap()),
            }
        }
    }

    #[tokio::test]
    async fn bodies_change_break_off_and_take_their_time() {
        let pieces: &[&'static [u8]] = &[b"", b"abc", b"def"];
        let flipped = (b"`bcdef".to_vec(), true);
        assert_eq!(passed(Trouble::Flip, pieces).await, flipped);
        for (most, expected) in [(0, ""), (2, "ab"), (3, "abc"), (5, "abcde")] {
            let cut = (expected.as_bytes().to_vec(), false);
            assert_eq!(passed(Trouble::CutAfter(most), pieces).await, cut, "{most}");
        }
        let whole = (b"abcdef".to_vec(), true);
        assert_eq!(passed(Trouble::CutAfter(6), pieces).await, whole);
        let since = std::time::Instant::now();
        assert_eq!(passed(Trouble::Slow(100), pieces).await, whole);
        assert!(since.elapsed() >= Duration::from_millis(60));
    }
}
