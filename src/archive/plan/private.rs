//! Finds names that are in a source by mistake more often than on purpose: the data of git and files with credentials.
//!
//! `actions/checkout`, for example, leaves a `.git` with a token in the workspace, and a push of the workspace would
//! bring it to every instance. So a plan has one notice for all such names. A name is looked up for every file of a
//! source, so most are told apart by their first or last bytes. A file is read only if its name does not say enough,
//! and only its beginning. A notice has names, and nothing of the content.
//!
//! The list is short on purpose, because a warning that is often wrong is not read. It lacks what programs need on
//! instances (keystores, `.htpasswd`), and examples (`.env.example`).

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::select::last_component;
use crate::system::{Directory, Links};

/// How much of a file is read.
const BEGINNING: u64 = 64 << 10;

/// What a file's name says.
#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    Credentials,
    /// It depends on the content.
    Perhaps(fn(&[u8]) -> bool),
}

/// A directory with the data of a version control system.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its path in the archive.
    path: Vec<u8>,
    /// Whether something in it goes in, so that it is noted.
    is_noted: AtomicBool,
}

impl Repository {
    /// The repository that the directory at `path` is, or is in. `above` is that of the directory above.
    pub(super) fn at(above: Option<&Arc<Self>>, path: &[u8]) -> Option<Arc<Self>> {
        let is_one = matches!(last_component(path), b".git" | b".hg" | b".svn");
        above.cloned().or_else(|| {
            is_one.then(|| {
                Arc::new(Self {
                    path: path.to_vec(),
                    is_noted: AtomicBool::new(false),
                })
            })
        })
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether this is the first call.
    pub(super) fn is_new(&self) -> bool {
        !self.is_noted.swap(true, Relaxed)
    }
}

/// Whether a file looks like one with credentials. `path` is its path in the archive, and `folder` is its directory,
/// if it may be read there.
pub(super) fn is_private(path: &[u8], folder: Option<&Directory>) -> bool {
    match says(path) {
        Says::Nothing => false,
        Says::Credentials => true,
        Says::Perhaps(holds) => {
            let open =
                folder.and_then(|folder| folder.open(last_component(path), Links::Refuse).ok());
            let mut content = Vec::new();
            // A file that cannot be read fails the push later, with a message.
            open.is_some_and(|file| file.take(BEGINNING).read_to_end(&mut content).is_ok())
                && holds(&content)
        }
    }
}

fn says(path: &[u8]) -> Says {
    let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&b""[..], path),
    };
    let is_in = |directory: &[u8]| {
        let before = above.strip_suffix(directory);
        before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
    };
    match name {
        [b'.', ..] => dotted(name),
        b"id_rsa"
        | b"id_dsa"
        | b"id_ecdsa"
        | b"id_ecdsa_sk"
        | b"id_ed25519"
        | b"id_ed25519_sk"
        | b"_netrc"
        | b"application_default_credentials.json"
        | b"credentials.tfrc.json" => Says::Credentials,
        b"credentials" if is_in(b".aws") || is_in(b".gem") || is_in(b".cargo") => Says::Credentials,
        b"credentials.toml" if is_in(b".cargo") => Says::Credentials,
        b"master.key" if is_in(b"config") => Says::Credentials,
        b"config.json" if is_in(b".docker") => Says::Perhaps(has_docker_login),
        b"config" if is_in(b".kube") => Says::Perhaps(has_kube_login),
        [.., b'.', b'k', b'd', b'b', b'x'] | [.., b'.', b'p', b'p', b'k'] => Says::Credentials,
        // Packages of libraries hold keys for their tests.
        [.., b'.', b'p', b'e', b'm'] | [.., b'.', b'k', b'e', b'y']
            if !contains(path, b"node_modules/") && !contains(path, b"site-packages/") =>
        {
            Says::Perhaps(has_private_key)
        }
        _ => Says::Nothing,
    }
}

fn dotted(name: &[u8]) -> Says {
    match name {
        b".env" | b".git-credentials" | b".netrc" | b".pgpass" | b".vault-token" => {
            Says::Credentials
        }
        [b'.', b'e', b'n', b'v', b'.', rest @ ..] => {
            let last = rest.rsplit(|byte| *byte == b'.').next().unwrap_or(rest);
            match last {
                b"example" | b"sample" | b"template" | b"tmpl" | b"dist" | b"defaults"
                | b"schema" => Says::Nothing,
                _ => Says::Credentials,
            }
        }
        b".npmrc" => Says::Perhaps(has_npm_login),
        b".yarnrc.yml" => {
            Says::Perhaps(|text| has_value(text, &[b"npmAuthToken", b"npmAuthIdent"]))
        }
        b".pypirc" | b".my.cnf" => Says::Perhaps(|text| has_value(text, &[b"password"])),
        b".s3cfg" | b".boto" => {
            Says::Perhaps(|text| has_value(text, &[b"secret_key", b"aws_secret_access_key"]))
        }
        b".dockercfg" => Says::Perhaps(has_docker_login),
        _ => Says::Nothing,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether a line sets one of `names`, and not to a variable.
fn has_value(text: &[u8], names: &[&[u8]]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        let value = names.iter().find_map(|name| line.strip_prefix(*name));
        value.is_some_and(|rest| is_set(rest.trim_ascii_start()))
    })
}

/// Whether a value follows, after an equals sign or a colon, that is no variable.
fn is_set(rest: &[u8]) -> bool {
    let Some(value) = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b":")) else {
        return false;
    };
    let value = value.trim_ascii();
    let value = value
        .strip_prefix(b"\"")
        .or_else(|| value.strip_prefix(b"'"))
        .unwrap_or(value);
    !matches!(value, [] | [b'$' | b'"' | b'\'', ..])
}

/// `//registry.npmjs.org/:_authToken=…`.
fn has_npm_login(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        let Some(sign) = line.iter().position(|byte| *byte == b'=') else {
            return false;
        };
        let name = line[..sign].trim_ascii();
        let is_secret = [&b"_authToken"[..], b"_auth", b"_password"];
        !line.starts_with(b"#")
            && !line.starts_with(b";")
            && is_secret.iter().any(|secret| name.ends_with(secret))
            && is_set(&line[sign..])
    })
}

/// A member `auth` or `identitytoken` with a text that is not empty.
fn has_docker_login(text: &[u8]) -> bool {
    [&b"\"auth\""[..], b"\"identitytoken\""].iter().any(|name| {
        let places = text
            .windows(name.len())
            .enumerate()
            .filter(|(_, window)| window == name);
        places
            .map(|(at, _)| text[at + name.len()..].trim_ascii_start())
            .any(|rest| {
                rest.starts_with(b":")
                    && rest[1..].trim_ascii_start().starts_with(b"\"")
                    && is_set(rest)
            })
    })
}

fn has_kube_login(text: &[u8]) -> bool {
    has_value(text, &[b"client-key-data", b"token", b"password"])
}

/// A private key in PEM, perhaps after certificates.
fn has_private_key(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii_end();
        line.starts_with(b"-----BEGIN ") && line.ends_with(b"PRIVATE KEY-----")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_names_say_that_a_file_has_credentials() {
        for path in [
            ".env",
            "a/.env",
            ".env.local",
            "a/.env.production",
            ".env.example.local",
            "home/.ssh/id_rsa",
            "id_ed25519",
            ".aws/credentials",
            "home/.aws/credentials",
            ".netrc",
            ".git-credentials",
            "passwords.kdbx",
            "key.ppk",
            "config/master.key",
            ".cargo/credentials.toml",
        ] {
            assert!(matches!(says(path.as_bytes()), Says::Credentials), "{path}");
        }
        for path in [
            ".env.example",
            "a/.env.sample",
            ".env.template",
            ".env.local.example",
            ".envrc",
            "env",
            "x.env",
            ".environment",
            "id_rsa.pub",
            "aws/credentials",
            "x.aws/credentials",
            "credentials",
            "credentials.rb",
            "config.json",
            "config",
            "kdbx",
            "pem",
            "key",
            "node_modules/x/test/a.pem",
            "lib/site-packages/x/a.key",
            "src/index.js",
            "",
        ] {
            assert!(matches!(says(path.as_bytes()), Says::Nothing), "{path}");
        }
    }

    #[test]
    fn other_names_depend_on_the_content() {
        let private = |path: &str, text: &str| {
            let says = says(path.as_bytes());
            let Says::Perhaps(holds) = says else {
                panic!("{path}")
            };
            holds(text.as_bytes())
        };
        let key = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\r\nx\n";
        for (path, text) in [
            ("tls/server.pem", key),
            ("server.key", "-----BEGIN PRIVATE KEY-----\n"),
            (
                ".npmrc",
                "registry=x\n//registry.npmjs.org/:_authToken=npm_x\n",
            ),
            (".npmrc", " _auth = \"eA==\"\n"),
            (".yarnrc.yml", "npmAuthToken: x\n"),
            (".pypirc", "[pypi]\nusername = a\npassword: b\n"),
            (
                ".docker/config.json",
                "{\"auths\": {\"r\": {\"auth\" : \"eA==\"}}}",
            ),
            (
                ".kube/config",
                "users:\n- user:\n    client-key-data: eA==\n",
            ),
            (".s3cfg", "secret_key = x\n"),
        ] {
            assert!(private(path, text), "{path}: {text}");
        }
        for (path, text) in [
            ("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n"),
            ("public.key", "-----BEGIN PUBLIC KEY-----\n"),
            ("slides.key", "PK\u{3}\u{4}"),
            (
                ".npmrc",
                "registry=x\nalways-auth=true\n#_authToken=x\n//r/:_authToken=${NPM_TOKEN}\n_auth=\n",
            ),
            (".pypirc", "[pypi]\nusername = a\npassword =\n"),
            (
                ".docker/config.json",
                "{\"auths\": {\"r\": {}}, \"credsStore\": \"x\", \"auth\": \"\"}",
            ),
            (".kube/config", "users:\n- user:\n    exec: {}\n"),
        ] {
            assert!(!private(path, text), "{path}: {text}");
        }
    }

    #[test]
    fn repositories_are_known_by_their_directory() {
        let is_one = |path: &str| Repository::at(None, path.as_bytes()).is_some();
        assert!(is_one(".git") && is_one("a/.svn") && is_one(".hg"));
        assert!(!is_one(".github") && !is_one("git") && !is_one(".git/refs"));
        let git = Repository::at(None, b".git");
        let below = Repository::at(git.as_ref(), b".git/refs").unwrap();
        assert!(below.is_new() && !below.is_new());
        assert_eq!(below.path(), b".git");
    }
}
