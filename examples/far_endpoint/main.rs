//! A stand-in for S3 and CodeDeploy at the far end of a link, to see how a push uses the network.
//!
//! ```text
//! cargo run --release --no-default-features --example far_endpoint -- \
//!     [--port N] [--connection-rate MB/s] [--link-rate MB/s] [--latency MS]
//! ```
//!
//! It answers what a push asks, forgets every body, and paces payloads by reading slowly, so that
//! the client feels TCP's own back-pressure. A request takes `--latency` to arrive; then its body
//! comes at the rate of its connection and of the link that all share. `hoist serve` keeps and
//! hashes what it is sent, on the cores that the client needs; this does not.
//!
//! `GET /stats` tells what was seen, as a line of JSON, and so do SIGINT and SIGTERM; `POST /reset`
//! starts anew. Checksums are not verified and nothing is stored. It refuses any other request with
//! 501, and says so in the counts. `benches/link` uses it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "an example is a command"
)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(unix)]
mod http;
#[cfg(unix)]
mod pace;
#[cfg(unix)]
mod s3;
#[cfg(unix)]
mod stats;
#[cfg(all(unix, test))]
mod tests;

#[cfg(not(unix))]
fn main() {
    eprintln!("far_endpoint needs a Unix");
}

#[cfg(unix)]
fn main() {
    if let Err(error) = unix::run(std::env::args().skip(1)) {
        eprintln!("far_endpoint: {error}");
        std::process::exit(2);
    }
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::Arc;
    use std::time::Duration;

    use rustix::net::sockopt::set_socket_recv_buffer_size;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use crate::http::Connection;
    use crate::pace::Link;
    use crate::s3::Endpoint;

    /// What a paced connection's socket may hold (Linux takes twice as much). Less than a few of
    /// loopback's segments of 64 KiB would stall it.
    const RECEIVE_BUFFER: usize = 256 << 10;

    pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
        let (endpoint, port) = options(arguments)?;
        let paced = endpoint.connection_rate.is_some() || endpoint.link.is_some();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        if paced {
            // Connections inherit it.
            set_socket_recv_buffer_size(&listener, RECEIVE_BUFFER)?;
        }
        println!("AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
        let endpoint = Arc::new(endpoint);
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let watched = Arc::clone(&endpoint);
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                println!("{}", watched.state().stats.json());
                std::process::exit(0);
            }
        });
        listen(&listener, &endpoint);
        Ok(())
    }

    /// Gives each connection a thread.
    pub(crate) fn listen(listener: &TcpListener, endpoint: &Arc<Endpoint>) {
        for stream in listener.incoming() {
            let endpoint = Arc::clone(endpoint);
            std::thread::spawn(move || {
                let served = stream
                    .and_then(Connection::new)
                    .and_then(|connection| endpoint.serve(connection));
                if let Err(error) = served {
                    eprintln!("far_endpoint: {error}");
                }
            });
        }
    }

    fn options(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<(Endpoint, u16), Box<dyn Error>> {
        let mut endpoint = Endpoint::default();
        let mut port = 0;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} what?"))?;
            let positive = || match value.parse::<f64>() {
                Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
                _ => Err(format!("{name} takes a positive number, not {value}")),
            };
            match name.as_str() {
                "--port" => port = value.parse()?,
                "--connection-rate" => endpoint.connection_rate = Some(positive()?),
                "--link-rate" => endpoint.link = Some(Link::new(positive()?)),
                "--latency" => endpoint.latency = Duration::from_millis(value.parse()?),
                _ => return Err(format!("no option is called {name}").into()),
            }
        }
        Ok((endpoint, port))
    }
}
