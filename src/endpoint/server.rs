//! The HTTP side: takes connections, tells S3 and CodeDeploy apart, and settles what is common to
//! all requests before a service sees them.
//!
//! Any credentials will do: signatures are removed unchecked, and with them the SHA-256 of the payload
//! that they cover. `aws-chunked` bodies are decoded here. Requests are refused if they expect another
//! owner than [`OWNER`], or if they were made by a page of another machine in a browser.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpResponse, S3Result, s3_error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chunked::{Decoder, Trailers};
use super::codedeploy::{self, Failure, Pace};
use super::faults::{self, ConnectionControl, Faults};
use super::link::{Link, PacedBody, Pacer};
use super::log::{Entry, Log};
use super::operation::Call;
use super::statistics::{Meter, is_upload};
use super::store::{Behavior, Store, blocking};
use super::{ids, region, s3};

/// The account that owns every bucket.
pub(super) const OWNER: &str = "000000000000";

/// Longest request to CodeDeploy, in bytes.
pub(super) const MAX_JSON: usize = 1 << 20;

/// How much of a refused body is read before the answer, in bytes. A client that writes all of it
/// before it reads would miss the answer otherwise.
pub(super) const MAX_DRAINED: usize = 64 << 20;

/// How long connections may take to finish their requests once the endpoint stops.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait after a connection could not be taken, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Both services.
pub(super) struct Server {
    pub(super) store: Arc<Store>,
    pub(super) codedeploy: Arc<codedeploy::Service>,
    pub(super) meter: Meter,
    s3: S3Service,
    faults: Option<Faults>,
    pub(super) log: Option<Log>,
    link: Link,
    /// Paces the bodies of all connections together.
    shared: Option<Arc<Pacer>>,
}

impl Server {
    /// Opens the state under `dir`.
    pub(super) fn open(
        dir: &Path,
        discards: bool,
        faults: Option<Faults>,
        link: Link,
        pace: Pace,
    ) -> io::Result<Self> {
        let behavior = Behavior {
            repeats_completes: faults.as_ref().is_some_and(Faults::repeats_completes),
            discards,
        };
        let store = Arc::new(Store::open(dir, behavior)?);
        let mut builder = S3ServiceBuilder::new(s3::Service::new(Arc::clone(&store)));
        builder.set_host(Hosts);
        Ok(Self {
            codedeploy: Arc::new(codedeploy::Service::open(
                dir,
                Arc::clone(&store),
                faults.clone(),
                pace,
            )?),
            store,
            meter: Meter::default(),
            s3: builder.build(),
            faults,
            log: None,
            link,
            shared: link.total_rate.map(Pacer::new),
        })
    }

    /// Takes connections until `stop`, then gives the open ones a moment to finish.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(Arc::clone(&self).connection(stream, stop.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        // Connections that do not finish in time end when the set is dropped.
        drop(
            tokio::time::timeout(GRACE, async {
                while connections.join_next().await.is_some() {}
            })
            .await,
        );
        self.codedeploy.end().await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        // Small responses must not wait for acknowledgements of earlier ones.
        drop(stream.set_nodelay(true));
        if let Some(cut) = self.converse(stream, stop).await {
            // Without lingering the socket ends with a reset.
            drop(cut.set_zero_linger());
        }
    }

    /// Answers the requests of one connection. Returns its stream if a fault cut it.
    pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        self: Arc<Self>,
        stream: S,
        stop: CancellationToken,
    ) -> Option<S> {
        let control = Arc::new(ConnectionControl::new(stop.clone()));
        let own = self.link.rate.map(Pacer::new);
        let pacers: Vec<Arc<Pacer>> = own.into_iter().chain(self.shared.clone()).collect();
        let counted = OnceLock::new();
        let service = service_fn(|request| {
            counted.get_or_init(|| self.meter.connection());
            let (server, control, pacers) =
                (Arc::clone(&self), Arc::clone(&control), pacers.clone());
            async move { Ok::<_, Infallible>(server.receive(request, pacers, &control).await) }
        });
        let mut connection = hyper::server::conn::http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        let ending = async {
            // An error means that the client went away, which is its own affair.
            tokio::select! {
                done = &mut connection => drop(done),
                () = stop.cancelled() => {
                    Pin::new(&mut connection).graceful_shutdown();
                    drop((&mut connection).await);
                }
            }
        };
        let ended = control.unless_cut(ending).await;
        ended
            .is_none()
            .then(|| connection.into_parts().io.into_inner())
    }

    /// Lets a request arrive over the link, counts it, and answers it or lets a fault happen to it.
    async fn receive(
        &self,
        request: Request<Incoming>,
        pacers: Vec<Arc<Pacer>>,
        control: &ConnectionControl,
    ) -> HttpResponse {
        let (head, body) = request.into_parts();
        let call = Call::of(&head);
        let entry = self
            .log
            .as_ref()
            .map(|_| Entry::begin(&head, call.operation));
        let _upload = self.meter.request(call.operation);
        if !self.link.latency.is_zero() {
            tokio::time::sleep(self.link.latency).await;
        }
        let mut body = Body::from(body);
        if is_upload(call.operation) {
            let meter = self.meter.clone();
            body = PacedBody::wrap(body, pacers, move |bytes| meter.arrived(bytes));
        }
        if let Some(entry) = &entry {
            body = entry.counted(body);
        }
        let request = Request::from_parts(head, body);
        let response = match &self.faults {
            None => self.answer(&call, request).await,
            Some(faults) => faults::handle(self, faults, &call, request, control).await,
        };
        self.meter.answered(response.status().as_u16());
        if let (Some(log), Some(entry)) = (&self.log, entry) {
            log.tell(&entry.end(&response));
        }
        response
    }

    /// Answers a request to either service.
    pub(super) async fn answer(&self, call: &Call, request: Request<Body>) -> HttpResponse {
        if let Some(refused) = refuse_other_machines(&request) {
            return refused;
        }
        let mut response = if call.codedeploy {
            self.call_codedeploy(call, request).await
        } else if let Some(refused) = self.refuse_other_region(call, &request) {
            read_unless_expected(request).await;
            refused
        } else {
            match self.call_s3(call, request).await {
                Ok(response) => response,
                Err(error) => error
                    .to_http_response()
                    .unwrap_or_else(|_| internal_error()),
            }
        };
        name_request(call.codedeploy, &mut response);
        response
    }

    /// The answer to a request for a bucket of another region than it is signed for.
    pub(super) fn refuse_other_region(
        &self,
        call: &Call,
        request: &Request<Body>,
    ) -> Option<HttpResponse> {
        let bucket = call.bucket.as_deref().filter(|_| call.region.is_some())?;
        let bucket = self.store.bucket(bucket).ok()?;
        region::refuse(call, request.method(), request.headers(), &bucket.region)
    }

    async fn call_s3(&self, call: &Call, request: Request<Body>) -> S3Result<HttpResponse> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(SignedFor(call.region.clone()));
        parts.headers.remove(header::AUTHORIZATION);
        for header in [
            "x-amz-expected-bucket-owner",
            "x-amz-source-expected-bucket-owner",
        ] {
            if parts
                .headers
                .get(header)
                .is_some_and(|owner| owner != OWNER)
            {
                return Err(s3_error!(
                    AccessDenied,
                    "Access Denied: {header} is not {OWNER}"
                ));
            }
        }
        let body = match decoded_length(&mut parts.headers)? {
            None => body,
            Some(length) => {
                let trailers = Trailers::default();
                parts.extensions.insert(trailers.clone());
                Body::http_body_unsync(Decoder::new(body, length, trailers))
            }
        };
        let response = self.s3.call(Request::from_parts(parts, body)).await;
        response.map_err(|error| s3_error!(InternalError, "{error:?}"))
    }

    async fn call_codedeploy(&self, call: &Call, request: Request<Body>) -> HttpResponse {
        let region = call.region.as_deref().unwrap_or(region::DEFAULT).to_owned();
        let target = request.headers().get("x-amz-target");
        let target = target
            .and_then(|target| target.to_str().ok())
            .unwrap_or_default();
        let operation = target.strip_prefix(codedeploy::TARGET).map(str::to_owned);
        let Some(operation) = operation.filter(|_| request.method() == hyper::Method::POST) else {
            return json_response(Err(Failure {
                code: "UnknownOperationException",
                message: format!("this endpoint does not offer {target}"),
                internal: false,
            }));
        };
        let body = match Limited::new(request.into_body(), MAX_JSON).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return json_response(Err(Failure {
                    code: "SerializationException",
                    message: format!("cannot read the request: {error}"),
                    internal: false,
                }));
            }
        };
        let service = Arc::clone(&self.codedeploy);
        let result = blocking(move || Ok(service.call(&region, &operation, &body))).await;
        json_response(result.unwrap_or_else(|error| {
            Err(Failure {
                code: "InternalFailure",
                message: error.to_string(),
                internal: true,
            })
        }))
    }
}

/// The region that a request to S3 is signed for, for the operations that need it.
#[derive(Clone, Debug)]
pub(super) struct SignedFor(pub(super) Option<String>);

/// Reads a body to its end, or [`MAX_DRAINED`] bytes of it.
pub(super) async fn read_all(mut body: Body) {
    let mut read = 0;
    while read < MAX_DRAINED
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// Reads the body of a request that is refused. A client that waits for `100 Continue` has not begun to
/// write it.
pub(super) async fn read_unless_expected(request: Request<Body>) {
    if !request.headers().contains_key(header::EXPECT) {
        read_all(request.into_body()).await;
    }
}

/// `BUCKET.localhost` names a bucket; with any other host the path does.
struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Ok(match name.strip_suffix(".localhost") {
            Some(bucket) => VirtualHost::new("localhost").with_bucket(bucket),
            None => VirtualHost::new(name),
        })
    }
}

/// Gives an answer its id.
pub(super) fn name_request(codedeploy: bool, response: &mut HttpResponse) {
    let id = ids::unique().to_uppercase();
    let id = HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("0"));
    let name = if codedeploy {
        "x-amzn-requestid"
    } else {
        "x-amz-request-id"
    };
    response.headers_mut().insert(name, id);
}

/// Refuses requests of a page in a browser whose name was pointed to 127.0.0.1: their `Host` and
/// `Origin` are those of the page.
fn refuse_other_machines(request: &Request<Body>) -> Option<HttpResponse> {
    let headers = request.headers();
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str());
    let host = text(header::HOST).map(|host| host.is_ok_and(is_this_machine));
    let origin = text(header::ORIGIN).map(|origin| {
        let host = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
        host.is_ok_and(is_this_machine)
    });
    // An authority in the request line takes precedence over the `Host` header.
    let target = request
        .uri()
        .authority()
        .map(|at| is_this_machine(at.as_str()));
    if [host, origin, target].contains(&Some(false)) {
        let error = s3_error!(AccessDenied, "this endpoint is for this machine only");
        return Some(
            error
                .to_http_response()
                .unwrap_or_else(|_| internal_error()),
        );
    }
    None
}

/// Whether a host, with its port or without, is a name or an address of the loopback interface.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || lower
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

pub(super) fn internal_error() -> HttpResponse {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

pub(super) fn json_response(result: Result<Option<serde_json::Value>, Failure>) -> HttpResponse {
    let (status, body) = match result {
        Ok(None) => (StatusCode::OK, String::new()),
        Ok(Some(output)) => (StatusCode::OK, output.to_string()),
        Err(failure) => (
            if failure.internal {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::BAD_REQUEST
            },
            serde_json::json!({ "__type": failure.code, "message": failure.message }).to_string(),
        ),
    };
    let mut response = HttpResponse::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Length of an `aws-chunked` body once it is decoded, `None` for any other body.
///
/// Changes the headers so that they describe the decoded body.
/// Fails with `MissingContentLength` when `x-amz-decoded-content-length` is missing.
fn decoded_length(headers: &mut HeaderMap) -> S3Result<Option<u64>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let encodings = text("content-encoding").unwrap_or_default();
    let is_chunked = |encoding: &&str| encoding.eq_ignore_ascii_case("aws-chunked");
    let encodings: Vec<&str> = encodings
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty())
        .collect();
    let streamed = text("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"));
    if !streamed && !encodings.iter().any(is_chunked) {
        return Ok(None);
    }
    let length: u64 = text("x-amz-decoded-content-length")
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| {
            s3_error!(
                MissingContentLength,
                "You must provide the x-amz-decoded-content-length header."
            )
        })?;
    let rest: Vec<&str> = encodings
        .iter()
        .copied()
        .filter(|e| !is_chunked(e))
        .collect();
    let rest = HeaderValue::try_from(rest.join(","))
        .map_err(|_| s3_error!(InvalidArgument, "Content-Encoding is malformed"))?;
    headers.remove(header::TRANSFER_ENCODING);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if rest.is_empty() {
        headers.remove(header::CONTENT_ENCODING);
    } else {
        headers.insert(header::CONTENT_ENCODING, rest);
    }
    Ok(Some(length))
}
