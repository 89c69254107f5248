//! A proxy in front of a server: it notes what is asked, and answers some of it by itself, as a
//! service does that does not allow it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use super::Server;

/// A request's first line and headers, whose names are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The operation, as the services name it.
    pub(crate) fn operation(&self) -> String {
        if let Some(target) = self.get("x-amz-target") {
            return target.rsplit('.').next().unwrap().to_owned();
        }
        let path = self.line.split(' ').nth(1).unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let has = |name: &str| {
            let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap());
            names.any(|known| known == name)
        };
        let of_object = path.trim_matches('/').contains('/');
        match self.line.split(' ').next().unwrap() {
            "HEAD" if of_object => "HeadObject",
            "HEAD" => "HeadBucket",
            "GET" if has("uploads") => "ListMultipartUploads",
            "GET" if has("uploadId") => "ListParts",
            "GET" if of_object => "GetObject",
            "PUT" if has("partNumber") => "UploadPart",
            "PUT" => "PutObject",
            "POST" if has("uploads") => "CreateMultipartUpload",
            "POST" => "CompleteMultipartUpload",
            "DELETE" => "AbortMultipartUpload",
            other => panic!("{other}: {}", self.line),
        }
        .to_owned()
    }
}

/// What to answer instead of the server: status, headers and body.
pub(crate) type Answer = (u16, Vec<(&'static str, &'static str)>, &'static str);

type Rule = dyn Fn(&Head) -> Option<Answer> + Send + Sync;
type Lost = dyn Fn(&Head) -> bool + Send + Sync;

/// The proxy. It ends with the test.
pub(crate) struct Between {
    pub(crate) url: String,
    heads: Arc<Mutex<Vec<Head>>>,
}

impl Between {
    /// Passes everything on to the server at `authority` but what `rule` answers.
    pub(crate) fn before(
        server: &Server,
        rule: impl Fn(&Head) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::start(server, Arc::new(rule), Arc::new(|_| false))
    }

    /// Passes everything on, but not the answers to what `lost` says: their connection breaks off.
    pub(crate) fn losing(
        server: &Server,
        lost: impl Fn(&Head) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::start(server, Arc::new(|_| None), Arc::new(lost))
    }

    fn start(server: &Server, rule: Arc<Rule>, lost: Arc<Lost>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let authority = server.url().strip_prefix("http://").unwrap().to_owned();
        let noted = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (noted, rule) = (Arc::clone(&noted), Arc::clone(&rule));
                let lost = Arc::clone(&lost);
                let authority = authority.clone();
                // A connection that breaks off is the client's affair.
                thread::spawn(move || serve(client, &authority, &noted, &*rule, &*lost));
            }
        });
        Self { url, heads }
    }

    /// Passes everything on.
    pub(crate) fn watching(server: &Server) -> Self {
        Self::before(server, |_| None)
    }

    /// Points a client of the server here.
    pub(crate) fn point(&self, command: &mut Command) {
        command.env("AWS_ENDPOINT_URL", &self.url);
    }

    /// Everything that was asked so far.
    pub(crate) fn heads(&self) -> Vec<Head> {
        self.heads.lock().unwrap().clone()
    }

    /// The requests of an operation.
    pub(crate) fn of(&self, operation: &str) -> Vec<Head> {
        let mut heads = self.heads();
        heads.retain(|head| head.operation() == operation);
        heads
    }
}

/// The answer of a service to one who may not.
pub(crate) fn denied(head: &Head) -> Answer {
    if head.get("x-amz-target").is_some() {
        let body = r#"{"__type":"AccessDeniedException","message":"not authorized"}"#;
        return (
            400,
            vec![("content-type", "application/x-amz-json-1.1")],
            body,
        );
    }
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    (403, vec![("content-type", "application/xml")], body)
}

fn serve(
    mut client: TcpStream,
    authority: &str,
    noted: &Mutex<Vec<Head>>,
    rule: &Rule,
    lost: &Lost,
) -> std::io::Result<()> {
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut server = TcpStream::connect(authority)?;
    let mut from_server = BufReader::new(server.try_clone()?);
    while let Some(head) = read_head(&mut from_client)? {
        let length = head
            .get("content-length")
            .map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        if head.get("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        noted.lock().unwrap().push(head.clone());
        from_client.read_exact(&mut body)?;
        let is_head = head.line.starts_with("HEAD ");
        if let Some((status, headers, text)) = rule(&head) {
            let headers: String = headers
                .iter()
                .map(|(k, v)| format!("{k}: {v}\r\n"))
                .collect();
            let length = text.len();
            let text = if is_head { "" } else { text };
            write!(
                client,
                "HTTP/1.1 {status} Refused\r\n{headers}content-length: {length}\r\n\r\n{text}"
            )?;
            continue;
        }
        let passed = head.headers.iter().filter(|(name, _)| name != "expect");
        let passed: String = passed.map(|(k, v)| format!("{k}: {v}\r\n")).collect();
        write!(server, "{}\r\n{passed}\r\n", head.line)?;
        server.write_all(&body)?;
        let Some(answer) = read_head(&mut from_server)? else {
            break;
        };
        let length = answer
            .get("content-length")
            .map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; if is_head { 0 } else { length }];
        let chunked = answer.get("transfer-encoding").is_some();
        assert!(!chunked, "the endpoint names lengths: {answer:?}");
        from_server.read_exact(&mut body)?;
        if lost(&head) {
            client.shutdown(Shutdown::Both)?;
            break;
        }
        let headers: String = answer
            .headers
            .iter()
            .map(|(k, v)| format!("{k}: {v}\r\n"))
            .collect();
        write!(client, "{}\r\n{headers}\r\n", answer.line)?;
        client.write_all(&body)?;
    }
    Ok(())
}

fn read_head(from: &mut BufReader<TcpStream>) -> std::io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        match line.is_empty() {
            true if lines.is_empty() => {}
            true => break,
            false => lines.push(line),
        }
    }
    let headers = lines[1..].iter().map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    Ok(Some(Head {
        headers: headers.collect(),
        line: lines[0].clone(),
    }))
}
