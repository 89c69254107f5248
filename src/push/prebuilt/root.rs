//! Whether an archive has its AppSpec file where the agents look.
//!
//! They look at the root. If the root holds nothing but one directory, both agents move its content up
//! and so look there (aws-codedeploy-agent 1.8.1 and 2.0).

/// The name that the agents look for.
const APPSPEC: &[u8] = b"appspec.yml";

/// A common mistake, with which a deployment fails.
const MISNAMED: &[u8] = b"appspec.yaml";

/// What the names of an archive's entries have shown so far.
#[derive(Debug, Default)]
pub(super) struct Root {
    appspec: bool,
    misnamed: bool,
    top: Top,
    /// The AppSpec file, if the reader of the archive gave it.
    content: Vec<u8>,
}

/// What is at the root.
#[derive(Debug, Default)]
enum Top {
    #[default]
    Nothing,
    /// One directory, and whether it has an AppSpec file.
    Directory { name: Vec<u8>, appspec: bool },
    /// A file, or several directories.
    More,
}

impl Root {
    /// Takes the next entry's name. Returns whether it is an AppSpec file that agents may read, unless one
    /// nearer to the root follows.
    pub(super) fn see(&mut self, name: &[u8], is_directory: bool) -> bool {
        let mut name = name;
        while let Some(rest) = name.strip_prefix(b"./") {
            name = rest;
        }
        let is_directory = is_directory || name.ends_with(b"/");
        while let Some(rest) = name.strip_suffix(b"/") {
            name = rest;
        }
        if matches!(name, b"" | b".") {
            return false;
        }
        let mut parts = name.splitn(2, |&byte| byte == b'/');
        let (first, rest) = (parts.next().unwrap_or_default(), parts.next());
        match rest {
            None if !is_directory => {
                if name == APPSPEC {
                    self.appspec = true;
                    self.content.clear();
                }
                self.misnamed |= name == MISNAMED;
                self.top = Top::More;
                name == APPSPEC
            }
            _ => {
                let is_appspec = rest == Some(APPSPEC) && !is_directory;
                self.see_directory(first, is_appspec);
                is_appspec && !self.appspec
            }
        }
    }

    /// Takes the content of the AppSpec file that was seen last.
    pub(super) fn read(&mut self, content: Vec<u8>) {
        self.content = content;
    }

    /// The content of the AppSpec file, or nothing.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    fn see_directory(&mut self, first: &[u8], has_appspec: bool) {
        match &mut self.top {
            Top::Nothing => {
                self.top = Top::Directory {
                    name: first.to_owned(),
                    appspec: has_appspec,
                };
            }
            Top::Directory { name, appspec } if name == first => *appspec |= has_appspec,
            Top::Directory { .. } | Top::More => self.top = Top::More,
        }
    }

    pub(super) fn has_appspec(&self) -> bool {
        self.appspec || matches!(self.top, Top::Directory { appspec: true, .. })
    }

    pub(super) fn is_misnamed(&self) -> bool {
        self.misnamed
    }
}

/// Where the AppSpec file should have been, or what to do about a wrong name.
pub(super) fn hint(misnamed: bool) -> &'static str {
    if misnamed {
        "; there is an appspec.yaml, which the CodeDeploy agent does not read: rename it"
    } else {
        ", where the CodeDeploy agent looks for it"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appspec_below_the_root_is_read_until_one_at_the_root_is_seen() {
        let mut root = Root::default();
        let seen = [
            "a/appspec.yml",
            "./appspec.yml",
            "b/appspec.yml",
            "a/b/appspec.yml",
            "x",
        ];
        let seen = seen.map(|name| root.see(name.as_bytes(), false));
        assert_eq!(seen, [true, true, false, false, false]);
        assert!(!root.see(b"appspec.yml", true));
    }

    fn has_appspec(names: &[&str]) -> bool {
        let mut root = Root::default();
        for name in names {
            root.see(name.as_bytes(), false);
        }
        root.has_appspec()
    }

    #[test]
    fn an_appspec_counts_at_the_root_or_in_the_only_directory() {
        assert!(has_appspec(&["a/b", "appspec.yml", "z"]));
        assert!(has_appspec(&["./", "./a", "./appspec.yml"]));
        assert!(has_appspec(&[
            "site-1.0/",
            "site-1.0/appspec.yml",
            "site-1.0/a/b"
        ]));
        for names in [
            &["a/appspec.yml", "b/x"][..],
            &["a/appspec.yml", "README"],
            &["README", "a/appspec.yml"],
            &["a/b/appspec.yml"],
            &["appspec.yml/"],
            &["appspec.yml/x"],
            &["AppSpec.yml", "appspec.yaml"],
            &[],
        ] {
            assert!(!has_appspec(names), "{names:?}");
        }
    }

    #[test]
    fn an_appspec_yaml_is_reported_at_the_root_only() {
        let mut root = Root::default();
        root.see(b"a/appspec.yaml", false);
        assert!(!root.is_misnamed());
        root.see(b"appspec.yaml", false);
        assert!(root.is_misnamed());
    }
}
