//! The HTTP client of all requests: hyper's, with the proxies of the AWS CLI, and errors that name the host.
//!
//! The SDK's own client chooses proxies as curl does, not as the AWS CLI does, cannot leave out the verification
//! of certificates, and hides which host or proxy failed, and how. So the way to a host is made here: a TCP
//! connection, to the host or to a proxy; a tunnel through the proxy for `https`; TLS. Pool and protocol are
//! hyper's, as in the SDK's client.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http::header::{HeaderValue, PROXY_AUTHORIZATION};
use http::uri::{Scheme, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connected, Connection, HttpConnector as Tcp, capture_connection,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::IDLE;
use super::proxy::{Proxies, Proxy};
use super::trust::Trust;
use crate::aws::error::{cause, chain};
use crate::aws::unreachable::{Kind, Unreachable};

/// The longest answer of a proxy to the request for a tunnel.
const TUNNEL_ANSWER: usize = 16 << 10;

/// A client that accepts these certificates and uses these proxies.
pub(super) fn client(trust: Trust, proxies: Proxies) -> SharedHttpClient {
    SharedHttpClient::new(Hyper {
        trust,
        proxies: Arc::new(proxies),
        made: Mutex::default(),
    })
}

/// How long to wait for a connection, and for an answer to begin.
type Timeouts = (Option<Duration>, Option<Duration>);

/// Makes one connector for each setting, since a connector holds the pool of connections.
#[derive(Debug)]
struct Hyper {
    trust: Trust,
    proxies: Arc<Proxies>,
    made: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

impl HttpClient for Hyper {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = made.entry(timeouts).or_insert_with(|| {
            SharedHttpConnector::new(Connector::new(&self.trust, &self.proxies, timeouts))
        });
        connector.clone()
    }
}

#[derive(Debug)]
struct Connector {
    client: Client<Route, SdkBody>,
    proxies: Arc<Proxies>,
    read_timeout: Option<Duration>,
}

impl Connector {
    fn new(
        trust: &Trust,
        proxies: &Arc<Proxies>,
        (connect_timeout, read_timeout): Timeouts,
    ) -> Self {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let route = Route {
            tcp,
            trust: trust.clone(),
            proxies: Arc::clone(proxies),
            limit: connect_timeout,
        };
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(route),
            proxies: Arc::clone(proxies),
            read_timeout,
        }
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        if let Some(authorization) = self.forward_authorization(request.uri()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization);
        }
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let host = address(request.uri());
        let (answer, limit) = (self.client.request(request), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let answer = match limit {
                None => answer.await,
                Some(limit) => timeout(limit, answer).await.map_err(|_| {
                    let late = Unreachable::late_answer(&host, limit);
                    ConnectorError::timeout(late.into())
                })?,
            };
            let answer = answer.map_err(|error| {
                let why = cause::<Unreachable>(&error).cloned();
                let why = why.unwrap_or_else(|| Unreachable::lost(&host, &chain(&error)));
                match why.kind() {
                    Kind::Setting => ConnectorError::user(why.into()),
                    Kind::Network => ConnectorError::io(why.into()),
                    Kind::Late => ConnectorError::timeout(why.into()),
                }
            })?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl Connector {
    /// What a proxy that forwards a plain request must be told. A tunnel is told when it is made.
    fn forward_authorization(&self, to: &Uri) -> Option<HeaderValue> {
        if to.scheme() == Some(&Scheme::HTTPS) {
            return None;
        }
        self.proxies.for_address(to).ok()??.authorization.clone()
    }
}

/// What the SDK asks of a connection: it gives up those that gave a bad answer.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let metadata = ConnectionMetadata::builder().proxied(false);
    let metadata = metadata.poison_fn(move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    });
    Some(metadata.build())
}

/// The host of an address, with its port.
fn address(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    format!("{host}:{}", port(uri))
}

fn port(uri: &Uri) -> u16 {
    let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
    uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 })
}

/// Connects to a host directly, or through a proxy.
#[derive(Clone, Debug)]
struct Route {
    tcp: Tcp,
    trust: Trust,
    proxies: Arc<Proxies>,
    limit: Option<Duration>,
}

impl Service<Uri> for Route {
    type Response = Stream;
    type Error = Unreachable;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Unreachable>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        // Never fails, and is always ready.
        self.tcp.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let route = self.clone();
        Box::pin(async move {
            let Some(limit) = route.limit else {
                return route.connect(&to).await;
            };
            let host = address(&to);
            match timeout(limit, route.connect(&to)).await {
                Ok(done) => done,
                Err(_) => {
                    let by = match route.proxies.for_address(&to) {
                        Ok(Some(proxy)) => format!("{host}, by {proxy},"),
                        _ => host,
                    };
                    Err(Unreachable::late_connection(&by, limit))
                }
            }
        })
    }
}

impl Route {
    async fn connect(&self, to: &Uri) -> Result<Stream, Unreachable> {
        let is_secure = to.scheme() == Some(&Scheme::HTTPS);
        let (mut io, mut is_forwarded) = match self.proxies.for_address(to)? {
            None => (self.open(to, &address(to)).await?, false),
            Some(proxy) => {
                let name = proxy.to_string();
                let mut io = self.open(&proxy.uri, &name).await?;
                if proxy.uri.scheme() == Some(&Scheme::HTTPS) {
                    io = self.secure(io, &proxy.uri, &name).await?;
                }
                (io, !is_secure)
            }
        };
        if is_secure {
            if let Some(proxy) = self.proxies.for_address(to)? {
                tunnel(&mut io, to, proxy).await?;
            }
            io = self.secure(io, to, &address(to)).await?;
            is_forwarded = false;
        }
        Ok(Stream {
            io: TokioIo::new(io),
            is_forwarded,
        })
    }

    /// A TCP connection.
    async fn open(&self, to: &Uri, name: &str) -> Result<Io, Unreachable> {
        let mut tcp = self.tcp.clone();
        // Names below localhost are this machine, whether its resolver knows that or not (RFC 6761, 6.3).
        let is_here = to.host().is_some_and(|host| host.ends_with(".localhost"));
        let to = match format!("http://localhost:{}", port(to)).parse() {
            Ok(here) if is_here => here,
            _ => to.clone(),
        };
        match tcp.call(to).await {
            Ok(stream) => Ok(Box::new(stream.into_inner())),
            Err(error) => {
                let why = match cause::<io::Error>(&error) {
                    Some(error) => error.to_string(),
                    None => chain(&error),
                };
                Err(match error.to_string() {
                    text if text.starts_with("dns") => Unreachable::unknown_host(name, &why),
                    _ => Unreachable::not_connected(name, &why),
                })
            }
        }
    }

    /// TLS over a connection.
    async fn secure(&self, io: Io, to: &Uri, name: &str) -> Result<Io, Unreachable> {
        let host = to.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(host.to_owned())
            .map_err(|error| Unreachable::no_tls(name, &error.to_string()))?;
        let tls = TlsConnector::from(self.trust.config()?);
        match tls.connect(server, io).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match cause::<rustls::Error>(&error) {
                Some(rustls::Error::InvalidCertificate(why)) => Unreachable::bad_certificate(
                    name,
                    &why.to_string(),
                    *why == CertificateError::UnknownIssuer,
                ),
                _ => Unreachable::no_tls(name, &error.to_string()),
            }),
        }
    }
}

/// Asks a proxy to pass on what follows to a host.
async fn tunnel(io: &mut Io, to: &Uri, proxy: &Proxy) -> Result<(), Unreachable> {
    let (host, by) = (address(to), proxy.to_string());
    let lost = |error: io::Error| Unreachable::lost(&by, &error.to_string());
    let mut request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    io.write_all(&request).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;
    let mut answer = Vec::new();
    // After the answer, the proxy sends nothing before TLS begins.
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = io.read_buf(&mut answer).await.map_err(lost)?;
        if read == 0 || answer.len() > TUNNEL_ANSWER {
            return Err(Unreachable::lost(&by, "it gave no answer to CONNECT"));
        }
    }
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = match line.split_once(' ') {
        Some((version, status)) if version.starts_with("HTTP/1.") => status.trim(),
        _ => return Err(Unreachable::lost(&by, "it is not an HTTP proxy")),
    };
    match status.get(..1) {
        Some("2") => Ok(()),
        _ => Err(Unreachable::refused_by_proxy(&by, &host, status)),
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

type Io = Box<dyn ReadWrite>;

/// A connection for hyper.
struct Stream {
    io: TokioIo<Io>,
    /// Whether a proxy is told the whole address of each request.
    is_forwarded: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_forwarded)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }
}
