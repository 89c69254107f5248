//! A server that gives every request the same answer and notes what it heard.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Listener {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// A server that answers with `status` and a JSON `body`.
    pub(crate) fn answering(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(client.try_clone().unwrap()).lines();
                let lines = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty());
                noted.lock().unwrap().extend(lines);
                let length = body.len();
                // The client may be gone.
                let _ = write!(
                    client,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: \
                     {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { url, heard }
    }

    /// A proxy that refuses every connection.
    pub(crate) fn proxy() -> Self {
        Self::answering("502 Bad Gateway", "")
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
