//! The names and severities of the rules.
//!
//! A released name never changes, because pull requests and dashboards refer to it. An error is an AppSpec
//! that agent 1.8 refuses to read, or with which both agents fail later; for Lambda and ECS, what the
//! documentation gives no meaning. What only one agent fails at during a deployment, and what behaves other
//! than it reads, is a warning. "1.x" was run as 1.8.1; "2.x" is 2.1.0, read from its source.

/// Whether a finding stops a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The deployment would fail; a push stops.
    Error,
    /// The deployment may behave unexpectedly.
    Warning,
}

impl Severity {
    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! rules {
    ($($severity:ident $rule:ident $id:literal $summary:literal;)*) => {
        /// A rule of the checks. [`Rule::summary`] says what it looks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $summary] $rule,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The name, which never changes.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)* }
            }

            /// Whether a finding of this rule stops a push.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)* }
            }

            /// What the rule looks for.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$rule => $summary,)* }
            }
        }
    };
}

rules! {
    // The file as a whole.
    Error NotFound "not-found" "there is no appspec.yml at the root of the bundle";
    Error NotUtf8 "not-utf-8" "the file is not UTF-8";
    Error ByteOrderMark "byte-order-mark" "the file starts with a byte-order mark";
    Error Tab "tab" "a tab indents a line";
    Error Syntax "syntax" "the file is not YAML";
    Error JsonSyntax "json-syntax" "a .json file is not JSON";
    Error Empty "empty" "the file is empty";
    Error WrongType "wrong-type" "a value has the wrong type";
    Error UnknownAlias "unknown-alias" "a YAML alias without an anchor";
    Error Platform "platform" "the AppSpec is for another compute platform than the revision";
    Warning NotChecked "not-checked" "the file is too large or too deep to be checked";
    Warning Alias "yaml-alias" "a YAML alias, which some agents refuse";
    Warning MergeKey "yaml-merge-key" "a YAML merge key, which agent 2.x does not know";
    Warning Tag "yaml-tag" "a YAML tag, which some agents refuse";
    Warning Date "yaml-date" "an unquoted date, which some agents refuse";
    Warning SecondDocument "second-document" "the file holds a second YAML document";
    Warning DuplicateKey "duplicate-key" "a key is there twice";
    Warning UnknownKey "unknown-key" "a key without a meaning";
    Warning EmptyValue "empty-value" "a key without the list that belongs there";
    Warning NotText "not-text" "a value that agent 1.x does not take for text";

    // EC2 and on-premises: the top.
    Error Version "version" "version is not the number 0.0";
    Warning VersionForm "version-form" "a version that agent 2.x refuses";
    Error Os "os" "os is neither linux nor windows";
    Error CaseCollision "case-collision" "names in the bundle that Windows takes for one name";
    Warning LongPath "long-path" "a path in the bundle that is too long for Windows";
    Warning WindowsName "windows-name" "a name in the bundle that Windows does not allow";
    Warning WindowsEscape "windows-escape" "a Windows path in which a backslash makes a control character";
    Warning BundleType "bundle-type-for-windows" "a bundle for Windows that is not a zip";
    Error FileExistsBehavior "file-exists-behavior" "file_exists_behavior is not one of its three values";

    // EC2 and on-premises: files.
    Error NoSource "no-source" "a file without a source";
    Error NoDestination "no-destination" "a file without a destination";
    Error Wildcard "wildcard-source" "a source with a wildcard, which agents do not expand";
    Error SourceNotFound "source-not-found" "a source that is not in the bundle";
    Error DuplicateDestination "duplicate-destination" "two sources for one destination";
    Error DestinationClash "destination-clash" "a destination that is both a file and a directory";
    Error TildeDestination "tilde-destination" "a destination that begins with a tilde";
    Error TrailingSpace "name-ends-in-space" "an installed file whose name ends with white space";
    Error LinkLoops "link-loops" "links to directories above them, which are copied without end";
    Warning LinkLoop "link-loop" "a link to a directory above it, which is copied forty times";
    Warning KeptLink "kept-link-second-deployment" "a kept link that agent 2.x does not remove before the next deployment";
    Warning FileAsDirectory "file-as-directory" "a file whose destination ends with its own name";
    Warning SourceOutside "source-outside" "a source outside of the bundle";
    Warning BlankSource "blank-source" "a source without a name";
    Warning BlankDestination "blank-destination" "a destination without a name";
    Warning RelativeDestination "relative-destination" "a destination that is not an absolute path";

    // EC2 and on-premises: hooks.
    Error NoLocation "no-location" "a script without a location";
    Error ScriptNotFound "script-not-found" "a script that is not in the bundle";
    Error Timeout "timeout" "a timeout that is not a positive number";
    Warning TimeoutForm "timeout-form" "a timeout that agent 2.x refuses";
    Warning TimeoutSum "timeout-sum" "the timeouts of an event add up to more than an hour";
    Warning SudoForm "sudo-form" "sudo is neither true nor false";
    Warning UnknownHook "unknown-hook" "an event that CodeDeploy does not have by itself";
    Warning ReservedHook "reserved-hook" "an event that runs no scripts";
    Warning ScriptOutside "script-outside" "a script outside of the bundle";
    Warning NotExecutable "script-not-executable" "a script without permission to be executed";
    Warning LinkNotExecutable "link-not-executable" "a script that is a kept link to a file without permission to be executed";
    Error RunasCannotExecute "runas-cannot-execute" "a script that its user may not read and execute";
    Error LocationCharacters "location-characters" "a location with runas that a shell does not take for one word";
    Warning LocationUnquoted "location-unquoted" "a location that agent 1.x does not take for one word";
    Warning RunasForm "runas-form" "a runas that is not the name of a user";
    Error RelativeInterpreter "relative-interpreter" "a script whose interpreter is not an absolute path";
    Error ShebangArguments "shebang-arguments" "a script whose interpreter does not find one argument, or one program";
    Warning NoShebang "no-shebang" "a script that does not begin with #!";
    Error CrlfShebang "crlf-shebang" "a script whose first line ends with a carriage return";
    Warning IgnoredOnWindows "ignored-on-windows" "a key without a meaning on Windows";

    // EC2 and on-premises: permissions.
    Error PermissionsOnWindows "permissions-on-windows" "permissions for Windows";
    Error NoObject "no-object" "a permission without an object";
    Error ObjectType "object-type" "a type that is neither file nor directory";
    Error Mode "mode" "a mode that is not one to four octal digits";
    Error OctalMode "mode-octal-refused" "an unquoted octal mode that agent 1.x refuses";
    Warning ChangedMode "mode-octal-changed" "an unquoted octal mode that agent 1.x changes";
    Error Acl "acl" "an access control list that agents refuse";
    Error Context "context" "an SELinux context that agents refuse";
    Warning ContextUser "context-user" "the user of an SELinux context, which agents ignore";
    Warning ContextRange "context-without-range" "an SELinux context without a range";
    Warning RangeForm "range-form" "an SELinux range that agent 2.x refuses";
    Warning AclForm "two-part-acl" "an entry of an access control list that agent 2.x refuses";
    Error DefaultAcl "default-acl-on-files" "a default access control list that reaches files";
    Warning UnquotedName "unquoted-name" "a file name that agent 1.x passes to setfacl or semanage without quotes";
    Warning OwnerName "owner-not-a-name" "an owner or group that is not a name";
    Error PatternOnFile "pattern-on-file" "a pattern or except for an object that is a copied file";
    Error PermissionTwice "permission-twice" "two permissions for one file or directory";
    Warning GlobCharacters "glob-characters" "a pattern that the agents read in different ways";
    Warning PatternSlash "pattern-slash" "a pattern with a slash, which agent 1.x matches with nothing";
    Warning ObjectForm "object-form" "an object that only agent 1.x brings into its plain form";
    Warning ReachesNothing "reaches-nothing" "a permission for nothing that the deployment installs";

    // EC2 and on-premises: what agents with hardening settings refuse, reported on request.
    Error HardenedLink "hardened-symlink" "a symbolic link, which an agent may be set to refuse";
    Error HardenedTraversal "hardened-path-traversal" "a path that climbs, which an agent may be set to refuse";
    Error HardenedMode "hardened-setuid" "a setuid or setgid bit, which an agent may be set to refuse";
    Error HardenedContext "hardened-selinux-type" "an unconfined SELinux type, which an agent may be set to refuse";
    Error HardenedTarget "hardened-permission-target" "a permission for a link, which an agent may be set to refuse";

    // Lambda and ECS.
    Error Resource "resource" "Resources is not a list with a Lambda function or an ECS service";
    Error NoProperty "no-property" "a property is missing";
    Warning ResourceVersion "resource-version" "version is not 0.0";
    Warning SeveralResources "several-resources" "more than one resource";
    Warning Property "property" "a property that looks wrong";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let names: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        let plain = |name: &str| {
            name.bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        assert!(names.iter().all(|name| plain(name)));
    }

    /// The documentation explains each name that a pull request shows.
    #[test]
    fn the_docs_have_every_rule_with_its_severity() {
        let docs = include_str!("../../docs/appspec.md");
        for rule in Rule::ALL {
            let row = format!("| `{}` | {} |", rule.id(), rule.severity().name());
            assert!(docs.contains(&row), "docs/appspec.md lacks {row}");
        }
        let rows = docs
            .lines()
            .filter(|line| line.contains("` | error |") || line.contains("` | warning |"));
        assert_eq!(rows.count(), Rule::ALL.len(), "rows in docs/appspec.md");
    }
}
