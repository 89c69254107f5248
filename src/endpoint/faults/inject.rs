//! Lets faults happen: connections end, answers do not come, and requests are refused that the server
//! would have answered.

use std::convert::Infallible;
use std::future::pending;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Frame;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode};
use tokio_util::sync::CancellationToken;

use super::super::codedeploy;
use super::super::link::{PacedBody, Pacer};
use super::super::operation::{Call, Source};
use super::super::region;
use super::super::server::{
    self, Server, internal_error, json_response, read_all, read_unless_expected,
};
use super::allowed::{Allowed, Denied, Named};
use super::body::{Damage, DamagedBody};
use super::{Action, CopyFault, Fault, Faults, Operation, Refusal, Reply, When, allowed, copying};

/// The part of a connection that a request may end.
pub(in crate::endpoint) struct ConnectionControl {
    cut: CancellationToken,
    stop: CancellationToken,
}

impl ConnectionControl {
    /// A connection of an endpoint that ends with `stop`.
    pub(in crate::endpoint) fn new(stop: CancellationToken) -> Self {
        Self {
            cut: CancellationToken::new(),
            stop,
        }
    }

    /// The result of `work`, or `None` when a request has reset the connection.
    pub(in crate::endpoint) async fn unless_cut<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        self.cut.run_until_cancelled(work).await
    }

    /// Resets the connection. The task that awaits this is dropped with it.
    async fn reset(&self) -> Infallible {
        self.cut.cancel();
        pending().await
    }

    /// Gives no answer until the endpoint ends.
    async fn stall(&self) -> Infallible {
        self.stop.cancelled().await;
        self.reset().await
    }
}

/// Answers a request as the server would, unless a fault happens to it.
pub(in crate::endpoint) async fn handle(
    server: &Server,
    faults: &Faults,
    call: &Call,
    request: Request<Body>,
    control: &ConnectionControl,
) -> HttpResponse {
    let (head, body) = request.into_parts();
    let (index, fault) = faults.record(&head, call);
    let request = Request::from_parts(head, body);
    let damaged = |damage| move |body| DamagedBody::wrap(body, damage);
    let slow = |rate| move |body| PacedBody::wrap(body, vec![Pacer::new(rate)], |_| {});
    let ask = |request| answer_if_allowed(server, faults, index, call, request);
    let response = match fault {
        None => ask(request).await,
        Some(Fault::Reset(when)) => {
            get_as_far_as(when, request, ask).await;
            match control.reset().await {}
        }
        Some(Fault::Stall(when)) => {
            // An unread request is held, so that its bytes stay on their way.
            let _held = get_as_far_as(when, request, ask).await;
            match control.stall().await {}
        }
        Some(Fault::Refuse(refusal)) => refuse(refusal, None, call, request).await,
        Some(Fault::RefuseInside(refusal)) => {
            read_all(request.into_body()).await;
            refusal_inside(refusal)
        }
        Some(Fault::Reply(reply)) => reply_with(reply, request).await,
        Some(Fault::Slow(rate)) => ask(request.map(slow(rate))).await.map(slow(rate)),
        Some(Fault::Corrupt) => ask(request.map(damaged(Damage::Flip))).await,
        Some(Fault::CorruptAnswer) => ask(request).await.map(damaged(Damage::Flip)),
        Some(Fault::Truncate(bytes)) => ask(request).await.map(damaged(Damage::CutAfter(bytes))),
        Some(Fault::Copy(fault)) => ask(with_copy_fault(request, fault)).await,
    };
    faults.answered(index, response.status().as_u16());
    response
}

/// Lets a request get as far as `when`. Returns it if its body was not read.
async fn get_as_far_as<R: Future<Output = HttpResponse>>(
    when: When,
    request: Request<Body>,
    ask: impl FnOnce(Request<Body>) -> R,
) -> Option<Request<Body>> {
    match when {
        When::BeforeBody => return Some(request),
        When::AfterBody => read_all(request.into_body()).await,
        When::AfterCommit => drop(ask(request).await),
    }
    None
}

/// Lets the copy that a request asks for go wrong.
fn with_copy_fault(mut request: Request<Body>, fault: CopyFault) -> Request<Body> {
    if fault == CopyFault::NoConditions {
        for name in copying::CONDITIONS {
            request.headers_mut().remove(name);
        }
    }
    request.extensions_mut().insert(fault);
    request
}

/// The answer that a test makes up.
async fn reply_with(reply: Reply, request: Request<Body>) -> HttpResponse {
    let is_head = request.method() == Method::HEAD;
    read_unless_expected(request).await;
    let body = if is_head { "" } else { reply.body };
    let mut response = HttpResponse::new(Body::from(body.to_owned()));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Lets the server answer a request, unless the credentials, the clock or the policy forbid it.
async fn answer_if_allowed(
    server: &Server,
    faults: &Faults,
    index: usize,
    call: &Call,
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
        return refuse(Refusal::ExpiredToken, None, call, request).await;
    }
    let mut response = if clock.refuses(call.codedeploy, request.headers()) {
        too_skewed(call, request).await
    } else if let Some(allowed) = &allowed
        && server.refuse_other_region(call, &request).is_none()
    {
        // S3 redirects before it asks what the caller may do.
        answer_by_policy(server, faults, index, allowed, call, request).await
    } else {
        server.answer(call, request).await
    };
    if let Some(date) = clock.wrong_date() {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn answer_by_policy(
    server: &Server,
    faults: &Faults,
    index: usize,
    allowed: &Allowed,
    call: &Call,
    request: Request<Body>,
) -> HttpResponse {
    if let Some(denied) = allowed.denied(call, request.headers()) {
        faults.refused(index, Refusal::AccessDenied);
        let (request, named) = named(call, request).await;
        let message = allowed::refusal(call, &denied, &named);
        let mut response = refuse(Refusal::AccessDenied, Some(message), call, request).await;
        name_region(server, call, &mut response);
        return response;
    }
    let method = request.method().clone();
    let response = server.answer(call, request).await;
    // Without the permission to list a bucket S3 does not tell that an object is missing.
    let hidden_in = match call.operation {
        Operation::GetObject | Operation::HeadObject => {
            let bucket = call.bucket.as_deref();
            bucket.filter(|bucket| server.store.bucket(bucket).is_ok())
        }
        Operation::CopyObject | Operation::UploadPartCopy => {
            let source = call.source.as_ref();
            let missing = |source: &&Source| {
                matches!(server.store.find(&source.bucket, &source.key), Ok(None))
            };
            source.filter(missing).map(|source| &*source.bucket)
        }
        _ => None,
    };
    let hides = response.status() == StatusCode::NOT_FOUND
        && hidden_in.is_some_and(|bucket| !allowed.allows(Action::ListBucket, bucket));
    if !hides {
        return response;
    }
    faults.refused(index, Refusal::AccessDenied);
    let denied = Denied {
        action: Some(Action::ListBucket),
        of_source: call.source.is_some(),
    };
    let message = allowed::refusal(call, &denied, &Named::default());
    let empty = Request::builder().method(method).body(Body::empty());
    match empty {
        Ok(empty) => refuse(Refusal::AccessDenied, Some(message), call, empty).await,
        Err(_) => internal_error(),
    }
}

/// Adds the bucket's region to a refusal of HeadBucket, as S3 does.
fn name_region(server: &Server, call: &Call, response: &mut HttpResponse) {
    if call.operation == Operation::HeadBucket
        && let Some(bucket) = call.bucket.as_deref()
        && let Ok(bucket) = server.store.bucket(bucket)
        && let Ok(region) = HeaderValue::try_from(bucket.region)
    {
        response.headers_mut().insert(region::BUCKET_REGION, region);
    }
}

/// Reads what a request to CodeDeploy names. Returns the request with it.
async fn named(call: &Call, request: Request<Body>) -> (Request<Body>, Named) {
    if !call.codedeploy {
        return (request, Named::default());
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, server::MAX_JSON).collect().await;
    let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let named = serde_json::from_slice(&body);
    let request = Request::from_parts(head, Body::from(body));
    (request, named.unwrap_or_default())
}

/// Answers with an error of the service that the request is for.
async fn refuse(
    refusal: Refusal,
    message: Option<String>,
    call: &Call,
    request: Request<Body>,
) -> HttpResponse {
    read_unless_expected(request).await;
    let (status, code, text) = if call.codedeploy {
        refusal.codedeploy()
    } else {
        refusal.s3()
    };
    answer(
        call,
        status,
        code,
        message.unwrap_or_else(|| text.to_owned()),
    )
}

/// An error as S3 or CodeDeploy writes it.
fn answer(call: &Call, status: u16, code: &'static str, message: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if call.codedeploy {
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
    server::name_request(call.codedeploy, &mut response);
    response
}

/// A 200 whose body turns out to be an error.
fn refusal_inside(refusal: Refusal) -> HttpResponse {
    let (_, code, message) = refusal.s3();
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let frames = [head, "   ", "\n\n", &*error].map(|text| {
        let frame = Frame::data(Bytes::copy_from_slice(text.as_bytes()));
        Ok::<_, Infallible>(frame)
    });
    // In pieces, so that hyper sends it without a length, as S3 does.
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
    let mut response = HttpResponse::new(Body::http_body_unsync(body));
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    server::name_request(false, &mut response);
    response
}

async fn too_skewed(call: &Call, request: Request<Body>) -> HttpResponse {
    read_all(request.into_body()).await;
    if call.codedeploy {
        let message = "Signature expired or not yet current: check the clock".to_owned();
        answer(call, 400, "InvalidSignatureException", message)
    } else {
        let message = "The difference between the request time and the current time is too large.";
        answer(call, 403, "RequestTimeTooSkewed", message.to_owned())
    }
}

/// The access key id that a request is signed with: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
pub(super) fn key_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = value.split_once("Credential=")?;
    credential.split('/').next()
}
