//! What an AppSpec file says, for a program that deploys it.
//!
//! The checks report what is wrong with a file, and where. This reads what is left: a file with errors is
//! refused, with the first of them, so that only what the agents read comes out.

use std::path::Path;

use super::hardened::{get, items};
use super::parse;
use super::scalar::Value;
use super::target::{first_resource, value};
use super::tree::Node;
use super::{Kind, MAX_BYTES, Severity, ecs, lambda, lint};

/// A Lambda function or an ECS service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A Lambda function, and the versions between which traffic moves.
    Function {
        /// The function.
        name: String,
        /// The alias whose traffic moves.
        alias: String,
        /// The version that has the traffic.
        current: String,
        /// The version that gets it.
        target: String,
    },
    /// An ECS service.
    Service,
}

/// The first resource of an AppSpec file. None if it has no resource of a known type.
#[must_use]
pub fn resource(bytes: &[u8]) -> Option<Resource> {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let tree = parse::parse(&text).tree?;
    let (first, kind) = first_resource(tree.root()?)?;
    if kind == ecs::KIND.name {
        return Some(Resource::Service);
    }
    if kind != lambda::KIND.name {
        return None;
    }
    let properties = value(first, "Properties")?;
    let text = |name| {
        value(properties, name)
            .and_then(Node::text)
            .map(str::to_owned)
    };
    Some(Resource::Function {
        name: text("Name")?,
        alias: text("Alias")?,
        current: text("CurrentVersion")?,
        target: text("TargetVersion")?,
    })
}

/// What an AppSpec file for instances says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// What is copied, in order.
    pub files: Vec<Copy>,
    /// What becomes of files that are there already: `DISALLOW`, `OVERWRITE` or `RETAIN`.
    pub file_exists_behavior: Option<String>,
    /// The modes that files and directories get.
    pub modes: Vec<Mode>,
    /// The events and the paths of their scripts.
    pub hooks: Vec<(String, Vec<String>)>,
}

/// An entry of `files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// A path in the bundle.
    pub source: String,
    /// A directory on the instance.
    pub destination: String,
}

/// An entry of `permissions` with a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The path that it is for.
    pub object: String,
    /// `**`, or a pattern for names right below the object.
    pub pattern: String,
    /// Patterns for names that are left out.
    pub except: Vec<String>,
    /// Whether files get it.
    pub files: bool,
    /// Whether directories get it.
    pub directories: bool,
    /// The mode.
    pub mode: u32,
}

impl Mode {
    /// Whether the mode is for a file or directory that was installed at `path`.
    #[must_use]
    pub fn is_for(&self, path: &str, is_directory: bool) -> bool {
        let wanted = if is_directory {
            self.directories
        } else {
            self.files
        };
        let object = self.object.trim_end_matches('/');
        let Some(below) = path.strip_prefix(object) else {
            return false;
        };
        if below.is_empty() {
            // Of directories, only what is below them.
            return wanted && !is_directory;
        }
        let Some(below) = below.strip_prefix('/') else {
            return false;
        };
        let matches = |pattern: &String| super::ec2::matches(pattern, below);
        wanted
            && (self.pattern == "**" || matches(&self.pattern))
            && !self.except.iter().any(matches)
    }
}

impl Instructions {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The first error that [`lint`] finds in it.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let report = lint(path, bytes, Some(Kind::Instances), None);
        let mut findings = report.findings.iter();
        if let Some(error) = findings.find(|found| found.severity() == Severity::Error) {
            let line = report.position(error.span.start).line;
            return Err(format!("line {line}: {}", error.message));
        }
        let Some(tree) = parse::parse(&report.text).tree else {
            return Err("it is not YAML".to_owned());
        };
        Ok(tree.root().map(Self::of).unwrap_or_default())
    }

    fn of(root: Node<'_>) -> Self {
        let copies = items(root, "files").into_iter().filter_map(|entry| {
            Some(Copy {
                source: text(entry, "source")?,
                destination: text(entry, "destination")?,
            })
        });
        let hooks = get(root, "hooks").and_then(Node::pairs);
        let hooks = hooks.into_iter().flatten().filter_map(|(event, scripts)| {
            let scripts = scripts.items().into_iter().flatten();
            let locations = scripts.filter_map(|script| text(script, "location"));
            Some((event.text()?.to_owned(), locations.collect()))
        });
        Self {
            files: copies.collect(),
            file_exists_behavior: text(root, "file_exists_behavior"),
            modes: items(root, "permissions")
                .into_iter()
                .filter_map(mode)
                .collect(),
            hooks: hooks.collect(),
        }
    }
}

fn text(node: Node<'_>, name: &str) -> Option<String> {
    let value = get(node, name)?;
    let is_nothing = value.value() == Some(Value::Nil);
    value.text().filter(|_| !is_nothing).map(str::to_owned)
}

/// An entry of `permissions`. None if it has no mode.
fn mode(entry: Node<'_>) -> Option<Mode> {
    let digits = text(entry, "mode")?;
    let texts = |name| {
        let items = items(entry, name).into_iter();
        items
            .filter_map(|item| item.text().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let types = texts("type");
    let has = |kind: &str| types.is_empty() || types.iter().any(|known| known == kind);
    Some(Mode {
        object: text(entry, "object")?,
        pattern: text(entry, "pattern").unwrap_or_else(|| "**".to_owned()),
        except: texts("except"),
        files: has("file"),
        directories: has("directory"),
        mode: u32::from_str_radix(&digits, 8).ok()? & 0o7777,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
version: 0.0
os: linux
file_exists_behavior: OVERWRITE
files:
  - source: /
    destination: /srv/app
permissions:
  - object: /srv/app/bin
    pattern: "*.sh"
    except: [b.sh]
    mode: "0750"
    type: [file]
  - object: /srv/app
    owner: root
hooks:
  AfterInstall:
    - location: scripts/a.sh
      timeout: 10
    - location: scripts/b.sh
  ValidateService:
"#;

    #[test]
    fn an_appspec_file_is_read_as_the_agents_read_it() {
        let read = Instructions::read(Path::new("appspec.yml"), FILE.as_bytes()).unwrap();
        assert_eq!(read.files[0].destination, "/srv/app");
        assert_eq!(read.file_exists_behavior.as_deref(), Some("OVERWRITE"));
        let scripts = ["scripts/a.sh", "scripts/b.sh"].map(str::to_owned);
        assert_eq!(read.hooks[0], ("AfterInstall".to_owned(), scripts.to_vec()));
        let [mode] = &read.modes[..] else {
            panic!("{:?}", read.modes)
        };
        assert_eq!(mode.mode, 0o750);
        assert!(mode.is_for("/srv/app/bin/a.sh", false));
        for (path, is_directory) in [
            ("/srv/app/bin/a.sh", true),
            ("/srv/app/bin/b.sh", false),
            ("/srv/app/bin/x/a.sh", false),
            ("/srv/app/binary.sh", false),
        ] {
            assert!(!mode.is_for(path, is_directory), "{path}");
        }
    }

    #[test]
    fn a_file_with_an_error_is_refused_with_its_place() {
        let read = Instructions::read(Path::new("appspec.yml"), b"version: 0.0\nos: Linux\n");
        let error = read.unwrap_err();
        assert!(error.starts_with("line 2: os must be linux"), "{error}");
    }

    #[test]
    fn a_function_has_its_versions() {
        let file = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      \
                    Properties:\n        Name: f\n        Alias: live\n        CurrentVersion: 1\n        \
                    TargetVersion: \"2\"\n";
        let function = Resource::Function {
            name: "f".to_owned(),
            alias: "live".to_owned(),
            current: "1".to_owned(),
            target: "2".to_owned(),
        };
        assert_eq!(resource(file.as_bytes()), Some(function));
        assert_eq!(resource(b"version: 0.0\nos: linux\n"), None);
    }
}
