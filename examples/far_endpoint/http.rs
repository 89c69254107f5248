//! As much of HTTP/1.1 as a client of S3 speaks, on a blocking socket.
//!
//! By hand, and one thread to a connection, for two reasons. The machine's cores belong to the
//! client that is looked at: a body is dropped inside the kernel and never copied. And a thread
//! sleeps to about 60 microseconds, a timer of a runtime to a millisecond.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use crate::pace::Link;

/// Longest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Longest body that is kept: a completion of 10,000 parts takes about 2 MB.
const MAX_KEPT: u64 = 8 << 20;

/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// Linux drops what it is asked to read; elsewhere it is read and overwritten.
const DISCARD: RecvFlags = if cfg!(target_os = "linux") {
    RecvFlags::TRUNC
} else {
    RecvFlags::empty()
};

/// A request without its body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Without the query, percent-encoded as it came.
    pub(crate) path: String,
    /// Names and values of the query, as they came.
    pub(crate) query: Vec<(String, String)>,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
}

impl Head {
    /// Parses a head, up to but without the empty line.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut start = lines.next()?.split(' ');
        let (method, target, version) = (start.next()?, start.next()?, start.next()?);
        if version != "HTTP/1.1" || start.next().is_some() {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs.map(split).collect(),
            headers: headers.collect::<Option<_>>()?,
        })
    }

    /// A header's value; the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(is, _)| is == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        query
            .find(|(is, _)| is == name)
            .map(|(_, value)| value.as_str())
    }

    /// Bytes of the body, or `None` if the client does not say.
    pub(crate) fn length(&self) -> Option<u64> {
        if self.header("transfer-encoding").is_some() {
            return None;
        }
        match self.header("content-length") {
            Some(length) => length.parse().ok(),
            None => Some(0),
        }
    }
}

/// Where the time of a body went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// The client had nothing to read.
    pub(crate) waiting: Duration,
    /// The link was busy.
    pub(crate) carrying: Duration,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Read, and not yet taken.
    ahead: Vec<u8>,
    waste: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::new(),
            waste: vec![0; CHUNK],
        })
    }

    /// The next request's head, or `None` if the client is done.
    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        let mut searched = 0;
        loop {
            let from = searched;
            if let Some(end) = find(&self.ahead[from..], b"\r\n\r\n").map(|at| at + from) {
                let head = std::str::from_utf8(&self.ahead[..end]).ok();
                let head = head.and_then(Head::parse).ok_or_else(|| bad("the head"))?;
                self.ahead.drain(..end + 4);
                return Ok(Some(head));
            }
            searched = self.ahead.len().saturating_sub(3);
            if self.ahead.len() > MAX_HEAD {
                return Err(bad("the head's length"));
            }
            // Little, so that the body stays in the socket.
            let mut some = [0; 4096];
            match self.stream.read(&mut some)? {
                0 if self.ahead.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.ahead.extend_from_slice(&some[..count]),
            }
        }
    }

    /// Reads and forgets a body of `length` bytes at the pace of `links`; tells `seen` of each
    /// chunk.
    pub(crate) fn discard(
        &mut self,
        length: u64,
        links: &[&Link],
        mut seen: impl FnMut(u64),
    ) -> io::Result<Spent> {
        let mut spent = Spent::default();
        let mut left = length;
        while left > 0 {
            let asked = Instant::now();
            let limit = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let count = if self.ahead.is_empty() {
                match recv(&self.stream, &mut self.waste[..limit], DISCARD) {
                    Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok((_, count)) => count,
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
            } else {
                self.ahead.drain(..limit.min(self.ahead.len())).len()
            };
            left -= count as u64;
            seen(count as u64);
            let now = Instant::now();
            spent.waiting += now - asked;
            let waits = links.iter().map(|link| link.take(now, count));
            let wait = waits.max().unwrap_or_default();
            if !wait.is_zero() {
                std::thread::sleep(wait);
                spent.carrying += now.elapsed();
            }
        }
        Ok(spent)
    }

    /// Reads a body of `length` bytes and keeps it.
    pub(crate) fn keep(&mut self, length: u64) -> io::Result<String> {
        if length > MAX_KEPT {
            return Err(bad("the body's length"));
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut body: Vec<u8> = self.ahead.drain(..length.min(self.ahead.len())).collect();
        let from = body.len();
        body.resize(length, 0);
        self.stream.read_exact(&mut body[from..])?;
        String::from_utf8(body).map_err(|_| bad("the body"))
    }

    /// Lets a client that asked go on with its body.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
    }

    pub(crate) fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut text = format!("HTTP/1.1 {}\r\n", answer.status);
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !answer.status.starts_with("204") {
            let length = answer.body.len();
            let kind = answer.kind;
            text.push_str(&format!(
                "content-type: {kind}\r\ncontent-length: {length}\r\n"
            ));
        }
        text.push_str("\r\n");
        text.push_str(&answer.body);
        self.stream.write_all(text.as_bytes())
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot take {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_clients_write_them() {
        let text = "PUT /b/a%20b?x-id=UploadPart&partNumber=3&uploads HTTP/1.1\r\n\
                    Host: h:1\r\nContent-Length: 12\r\nX-Amz-Date:now";
        let head = Head::parse(text).unwrap();
        assert_eq!((&*head.method, &*head.path), ("PUT", "/b/a%20b"));
        assert_eq!(head.parameter("partNumber"), Some("3"));
        assert_eq!(head.parameter("uploads"), Some(""));
        assert_eq!(head.parameter("uploadId"), None);
        assert_eq!(head.header("host"), Some("h:1"));
        assert_eq!(head.header("x-amz-date"), Some("now"));
        assert_eq!(head.length(), Some(12));
    }

    #[test]
    fn a_body_of_unknown_length_is_told_apart_from_none() {
        let length = |headers: &str| {
            let head = Head::parse(&format!("PUT / HTTP/1.1{headers}"));
            head.unwrap().length()
        };
        assert_eq!(length(""), Some(0));
        assert_eq!(length("\r\nTransfer-Encoding: chunked"), None);
        assert_eq!(length("\r\nContent-Length: 1x"), None);
    }

    #[test]
    fn what_is_no_request_is_none() {
        for text in [
            "",
            "GET /",
            "GET / HTTP/1.0",
            "GET / b HTTP/1.1",
            "GET / HTTP/1.1\r\nx",
        ] {
            assert_eq!(Head::parse(text), None, "{text}");
        }
    }
}
