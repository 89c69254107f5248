//! Chooses the proxy of a request as the AWS CLI does.
//!
//! The AWS CLI takes proxies from Python's urllib (`getproxies_environment`, `proxy_bypass_environment`), whose
//! rules differ from curl's, which the SDK follows: a variable in lower case comes before one in upper case,
//! and unsets it when it is empty; `ALL_PROXY` is not read; `NO_PROXY` lists ends of host names, with or
//! without a port, and no networks. The address of a proxy is completed as botocore completes it
//! (`httpsession.py`).

use std::fmt;

use base64_simd::STANDARD;
use http::header::HeaderValue;
use http::uri::{Authority, Scheme, Uri};
use percent_encoding::percent_decode_str;

use crate::aws::unreachable::Unreachable;

/// Where containers get their credentials, which botocore asks without a proxy.
const CONTAINER: &str = "169.254.170.2";

/// The proxies that variables name.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Result<Proxy, Unreachable>>,
    https: Option<Result<Proxy, Unreachable>>,
    /// `NO_PROXY`.
    exceptions: String,
    /// Hosts with their ports that are never asked by way of a proxy.
    direct: Vec<String>,
}

/// A proxy, and how to introduce oneself to it.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) uri: Uri,
    pub(super) authorization: Option<HeaderValue>,
    variable: &'static str,
}

impl Proxies {
    /// The proxies that these variables name.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = |lower: &'static str, upper: &'static str| {
            let chosen = match variable(lower) {
                Some(value) => (lower, value),
                // In a CGI script, a client can set HTTP_PROXY by a header.
                None if upper == "HTTP_PROXY" && variable("REQUEST_METHOD").is_some() => {
                    return None;
                }
                None => (upper, variable(upper)?),
            };
            Some(chosen).filter(|(_, value)| !value.is_empty())
        };
        let proxy = |(name, value): (&'static str, String)| Proxy::parse(name, &value);
        let container = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let container = container.and_then(|url| url.parse::<Uri>().ok());
        let container = container.and_then(|uri| Some(uri.authority()?.to_string()));
        Self {
            http: named("http_proxy", "HTTP_PROXY").map(proxy),
            https: named("https_proxy", "HTTPS_PROXY").map(proxy),
            exceptions: named("no_proxy", "NO_PROXY").map_or_else(String::new, |(_, list)| list),
            direct: container
                .into_iter()
                .chain([CONTAINER.to_owned()])
                .collect(),
        }
    }

    /// The proxy of a request to this address. None: the host is asked directly.
    ///
    /// # Errors
    ///
    /// The variable for such requests holds no address of a proxy.
    pub(super) fn for_address(&self, to: &Uri) -> Result<Option<&Proxy>, Unreachable> {
        let proxy = match to.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => &self.https,
            _ => &self.http,
        };
        let Some(proxy) = proxy else {
            return Ok(None);
        };
        let host = to.authority().map_or("", Authority::as_str);
        if self.direct.iter().any(|direct| direct == host) || is_exception(&self.exceptions, host) {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(Clone::clone)
    }
}

/// Whether `NO_PROXY` excepts a host, which may have a port.
fn is_exception(list: &str, host: &str) -> bool {
    if list == "*" {
        return true;
    }
    let host = host.to_ascii_lowercase();
    let alone = match host.rsplit_once(':') {
        Some((alone, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            alone
        }
        _ => &*host,
    };
    list.split(',').map(str::trim).any(|name| {
        let name = name.trim_start_matches('.').to_ascii_lowercase();
        let is_end_of = |host: &str| {
            let before = host.strip_suffix(&name);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        !name.is_empty() && (is_end_of(alone) || is_end_of(&host))
    })
}

impl Proxy {
    fn parse(variable: &'static str, value: &str) -> Result<Self, Unreachable> {
        Self::read(variable, value.trim()).ok_or_else(|| Unreachable::no_proxy(variable))
    }

    /// None if the text is no address of a proxy. It is shown nowhere, since it may hold a password.
    fn read(variable: &'static str, text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::HTTP, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::HTTPS, rest),
            _ => (Scheme::HTTP, text),
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user.split_once(':'), host),
            None => (None, authority),
        };
        // Without a port, or with an empty one, urllib3 takes that of the scheme.
        let host: Authority = host.strip_suffix(':').unwrap_or(host).parse().ok()?;
        let port = match (host.port_u16(), &scheme) {
            (Some(port), _) => port,
            (None, _) if host.as_str() != host.host() => return None,
            (None, scheme) if *scheme == Scheme::HTTPS => 443,
            (None, _) => 80,
        };
        if port == 0 || rest.contains("://") {
            return None;
        }
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(format!("{}:{port}", host.host()))
            .path_and_query("/");
        // As in botocore, a name without a password is not sent.
        let authorization = user.map(|(name, password)| {
            let mut pair: Vec<u8> = percent_decode_str(name).collect();
            pair.push(b':');
            pair.extend(percent_decode_str(password));
            let mut value =
                HeaderValue::from_str(&format!("Basic {}", STANDARD.encode_to_string(pair)))
                    .ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Some(Self {
            uri: uri
                .build()
                .ok()
                .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))?,
            authorization: authorization.flatten(),
            variable,
        })
    }
}

impl fmt::Display for Proxy {
    /// Its address without name and password, and the variable that names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri, variable, .. } = self;
        let (scheme, host) = (uri.scheme_str(), uri.authority());
        let (scheme, host) = (
            scheme.unwrap_or_default(),
            host.map_or("", Authority::as_str),
        );
        write!(f, "the proxy {scheme}://{host} ({variable})")
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy of `url`, if these are the variables.
    fn chosen(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::of(variable);
        let proxy = proxies.for_address(&url.parse().unwrap()).unwrap()?;
        Some(proxy.uri.to_string())
    }

    #[test]
    fn variables_are_chosen_as_urllib_chooses_them() {
        let (secure, plain) = ("https://s3.amazonaws.com/b", "http://minio:9000/b");
        let proxy = |port: u16| Some(format!("http://p:{port}/"));
        for (variables, of_secure, of_plain) in [
            (&[][..], None, None),
            (&[("HTTPS_PROXY", "http://p:1")], proxy(1), None),
            (&[("HTTP_PROXY", "http://p:1")], None, proxy(1)),
            (
                &[("https_proxy", "p:1"), ("HTTPS_PROXY", "p:2")],
                proxy(1),
                None,
            ),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "p:2")], None, None),
            (&[("HTTPS_PROXY", "")], None, None),
            (
                &[("ALL_PROXY", "socks5://p:1"), ("all_proxy", "http://p:1")],
                None,
                None,
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "p:1")],
                None,
                None,
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("http_proxy", "p:1")],
                None,
                proxy(1),
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("HTTPS_PROXY", "p:1")],
                proxy(1),
                None,
            ),
            (
                &[("HTTPS_PROXY", "p:1"), ("no_proxy", ""), ("NO_PROXY", "*")],
                proxy(1),
                None,
            ),
        ] {
            assert_eq!(chosen(variables, secure), of_secure, "{variables:?}");
            assert_eq!(chosen(variables, plain), of_plain, "{variables:?}");
        }
    }

    #[test]
    fn exceptions_are_ends_of_host_names_as_in_urllib() {
        for (list, host, is) in [
            ("*", "s3.amazonaws.com", true),
            ("*,a", "s3.amazonaws.com", false),
            ("amazonaws.com", "s3.amazonaws.com", true),
            (".amazonaws.com", "s3.amazonaws.com", true),
            ("..AmazonAWS.com", "S3.amazonaws.com", true),
            ("*.amazonaws.com", "s3.amazonaws.com", false),
            ("zonaws.com", "s3.amazonaws.com", false),
            ("a, s3.amazonaws.com ,b", "s3.amazonaws.com", true),
            ("minio:9000", "minio:9000", true),
            ("minio:9001", "minio:9000", false),
            ("minio", "minio:9000", true),
            ("minio:9000", "minio", false),
            ("127.0.0.1", "127.0.0.1:9000", true),
            ("127.0.0.0/8", "127.0.0.1:9000", false),
            ("localhost", "127.0.0.1:9000", false),
            ("[::1]", "[::1]:9000", true),
            ("[::1]:9000", "[::1]:9000", true),
            ("", "minio", false),
            (",. ,", "minio", false),
        ] {
            assert_eq!(is_exception(list, host), is, "{list:?} {host}");
        }
    }

    #[test]
    fn an_address_of_a_proxy_is_completed_as_botocore_completes_it() {
        for (text, uri) in [
            ("p", "http://p:80/"),
            ("p:3128", "http://p:3128/"),
            ("//p:3128", "http://p:3128/"),
            ("http://p:3128/path?x#y", "http://p:3128/"),
            ("HTTP://p:3128", "http://p:3128/"),
            ("https://p", "https://p:443/"),
            (" http://p:3128\r\n", "http://p:3128/"),
            ("http://[::1]:3128", "http://[::1]:3128/"),
            ("http://user:pass@p:3128", "http://p:3128/"),
        ] {
            let proxy = Proxy::parse("HTTPS_PROXY", text);
            assert_eq!(proxy.unwrap().uri.to_string(), uri, "{text}");
        }
        for text in [
            "socks5://p:1080",
            "http://",
            "http://:3128",
            "http://p:port",
            "http://p:0",
            "http://p:99999",
            "\"http://p:3128\"",
            "p q",
            "http://[::1",
            "http://me:pa#ss@p:3128",
            "ü:x",
        ] {
            let error = Proxy::parse("HTTPS_PROXY", text).unwrap_err().to_string();
            assert!(error.contains("HTTPS_PROXY"), "{error}");
            assert!(!error.contains("pa#ss"), "{error}");
        }
    }

    #[test]
    fn names_and_passwords_are_sent_and_never_shown() {
        for (text, pair) in [
            ("http://me:secret@p", "me:secret"),
            ("http://a%40b:p%3Aw%2F@p", "a@b:p:w/"),
            ("me:a@b@p:1", "me:a@b"),
        ] {
            let proxy = Proxy::read("https_proxy", text).unwrap();
            let expected = format!("Basic {}", STANDARD.encode_to_string(pair));
            assert_eq!(proxy.authorization.as_ref().unwrap(), &*expected);
            let shown = format!("{proxy} {proxy:?}");
            assert!(
                !shown.contains("secret") && !shown.contains("a@b"),
                "{shown}"
            );
            assert!(shown.contains("(https_proxy)"), "{shown}");
        }
        let without = Proxy::read("https_proxy", "http://me@p").unwrap();
        assert_eq!(without.authorization, None);
    }

    #[test]
    fn credentials_of_a_container_are_asked_for_without_a_proxy() {
        let variables = [
            ("http_proxy", "p:1"),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://localhost:80/get",
            ),
        ];
        assert_eq!(chosen(&variables, "http://localhost:80/get"), None);
        assert_eq!(chosen(&variables, "http://169.254.170.2/v2/x"), None);
        assert!(chosen(&variables, "http://localhost:81/get").is_some());
    }
}
