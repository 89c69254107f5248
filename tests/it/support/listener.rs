//! A server that gives every request the same answer and notes what it heard.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Listener {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// A server that answers with `status` and a JSON `body`.
    pub(crate) fn answering(status: &'static str, body: &'static str) -> Self {
        Self::sending(status, "Content-Type: application/json", body)
    }

    /// A server that answers with `status` and a page, as proxies and login pages do.
    pub(crate) fn showing(status: &'static str) -> Self {
        let header = "Content-Type: text/html; charset=utf-8\r\nLocation: http://login.example/";
        Self::sending(status, header, "<html><body>Please log in</body></html>")
    }

    fn sending(status: &'static str, header: &'static str, body: &'static str) -> Self {
        let length = body.len();
        Self::serving(move |mut client, _| {
            // The client may be gone.
            let _ = write!(
                client,
                "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\nConnection: \
                 close\r\n\r\n{body}"
            );
        })
    }

    /// A server that gives each connection and the lines of its request's head to `serve`.
    fn serving(serve: impl Fn(TcpStream, &[String]) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(client.try_clone().unwrap()).lines();
                let lines = lines.map_while(Result::ok);
                let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                noted.lock().unwrap().extend_from_slice(&lines);
                serve(client, &lines);
            }
        });
        Self { url, heard }
    }

    /// A proxy that refuses every connection.
    pub(crate) fn proxy() -> Self {
        Self::answering("502 Bad Gateway", "")
    }

    /// A proxy that makes tunnels to where it is asked to.
    pub(crate) fn tunnels() -> Self {
        Self::serving(|mut client, lines| {
            let to = lines.first().and_then(|line| line.strip_prefix("CONNECT "));
            let to = to.and_then(|rest| rest.split(' ').next());
            let Some(server) = to.and_then(|to| TcpStream::connect(to).ok()) else {
                return;
            };
            let _ = write!(client, "HTTP/1.1 200 Connection established\r\n\r\n");
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        })
    }

    /// The lines heard so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The hosts that a proxy was asked to connect to, without repetitions.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let lines = self.heard();
        let hosts = lines
            .iter()
            .filter_map(|line| line.strip_prefix("CONNECT "));
        let mut hosts: Vec<_> = hosts
            .map(|rest| rest.split([' ', ':']).next().unwrap().to_owned())
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}
