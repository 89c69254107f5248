//! Settings as machines have them: files, variables and options.

/// One machine.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) variables: Vec<(String, String)>,
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) profile: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) ca_bundle: Option<String>,
    home: String,
}

/// Rows in which hoist differs from botocore, and why.
pub(super) const DIFFERENT: &[(&str, &str)] = &[
    ("secret with a line end", REFUSED),
    ("key id in quotes", REFUSED),
    ("key id with a blank", REFUSED),
    ("key id that is not ASCII", REFUSED),
    ("empty role", REFUSED),
    ("container by a path without a slash", REFUSED),
    (
        "proxy: SOCKS",
        "SOCKS is refused; botocore takes the scheme for a host",
    ),
    ("AWS_DEFAULTS_MODE nonsense", NOT_READ),
    ("AWS_STS_REGIONAL_ENDPOINTS nonsense", NOT_READ),
    ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES abc", NOT_READ),
    ("AWS_ACCOUNT_ID_ENDPOINT_MODE nonsense", NOT_READ),
];

const REFUSED: &str = "no request can succeed with it: refused before the first, and named";
const NOT_READ: &str = "nothing that hoist does depends on it, so it is not read";

impl Row {
    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn credentials(self, text: &str) -> Self {
        self.file(".aws/credentials", text)
    }

    fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = format!("{}/{name}", self.home);
        self.files.retain(|(known, _)| *known != path);
        self.files.push((path, text.as_ref().to_vec()));
        self
    }

    /// Sets a variable, in which `{home}` is the home directory.
    fn var(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        let value = value.replace("{home}", &self.home);
        self.variables.push((name.to_owned(), value));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// With keys in the environment.
    fn keys(self) -> Self {
        self.var("AWS_ACCESS_KEY_ID", "ENV")
            .var("AWS_SECRET_ACCESS_KEY", "envsecret")
    }

    fn profile(mut self, name: &str) -> Self {
        self.profile = Some(name.to_owned());
        self
    }

    fn region(mut self, name: &str) -> Self {
        self.region = Some(name.to_owned());
        self
    }

    fn endpoint(mut self, url: &str) -> Self {
        self.endpoint = Some(url.to_owned());
        self
    }

    fn ca_bundle(mut self, path: &str) -> Self {
        self.ca_bundle = Some(path.to_owned());
        self
    }
}

/// A file of credentials.
const CREDENTIALS: &str = "\
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = s/1
[dev]
aws_access_key_id = DEV
aws_secret_access_key = s/2
aws_session_token = t/2
";

/// All machines. Each has its home below `root`.
pub(super) fn rows(root: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let new = |name: &str, number: usize| {
        let row = Row {
            name: name.to_owned(),
            variables: Vec::new(),
            files: Vec::new(),
            profile: None,
            region: None,
            endpoint: None,
            ca_bundle: None,
            home: format!("{root}/{number}"),
        };
        row.var("HOME", "{home}")
            .var("PATH", "/usr/bin:/bin")
            .var("AWS_EC2_METADATA_DISABLED", "true")
            .var("AWS_DEFAULT_REGION", "eu-west-1")
    };
    let mut add = |name: &str, change: &dyn Fn(Row) -> Row| {
        let number = rows.len();
        let row = change(new(name, number));
        assert!(!rows.iter().any(|row| row.name == name), "{name}");
        rows.push(row);
    };
    of_regions(&mut add);
    of_profiles(&mut add);
    of_files(&mut add);
    of_keys(&mut add);
    of_roles(&mut add);
    of_others(&mut add);
    of_endpoints(&mut add);
    of_proxies(&mut add);
    of_numbers(&mut add);
    rows
}

type Add<'a> = dyn FnMut(&str, &dyn Fn(Row) -> Row) + 'a;

fn of_regions(add: &mut Add<'_>) {
    let none = |row: Row| row.keys().without("AWS_DEFAULT_REGION");
    add("no region", &|row| none(row));
    add("region by option", &|row| none(row).region("us-west-2"));
    add("region by option before all", &|row| {
        row.keys()
            .var("AWS_REGION", "eu-west-3")
            .region("us-west-2")
    });
    add("AWS_REGION before AWS_DEFAULT_REGION", &|row| {
        row.keys().var("AWS_REGION", "eu-west-3")
    });
    add("region of the profile", &|row| {
        none(row).config("[default]\nregion = eu-west-2\n")
    });
    add("variable before region of the profile", &|row| {
        row.keys().config("[default]\nregion = eu-west-2\n")
    });
    add("region in the file of credentials", &|row| {
        none(row).credentials("[default]\nregion = eu-west-2\n")
    });
    add("region in both files", &|row| {
        none(row)
            .config("[default]\nregion = eu-west-2\n")
            .credentials("[default]\nregion = eu-west-3\n")
    });
    for (number, region) in [
        "",
        " ",
        "us east 1",
        "\"us-east-1\"",
        "'us-east-1'",
        "us-east-1\r",
        " us-east-1",
        "us_east_1",
        "us-east-1.amazonaws.com",
        "-us-east-1",
        "12",
        "US-EAST-1",
        "us-east-1",
        "cn-north-1",
        "us-gov-west-1",
        "moon-base-1",
        "é",
    ]
    .into_iter()
    .enumerate()
    {
        add(&format!("AWS_REGION {number}: {region:?}"), &|row| {
            row.keys().var("AWS_REGION", region)
        });
    }
    add("AWS_REGION with a line end", &|row| {
        row.keys().var("AWS_REGION", "us-east-1\n")
    });
    for (number, region) in [
        "\"us-east-1\"",
        "",
        "us-east-1 # mine",
        "us-east-1 ; mine",
        "a\n b",
    ]
    .into_iter()
    .enumerate()
    {
        add(
            &format!("region of the profile {number}: {region:?}"),
            &|row| none(row).config(&format!("[default]\nregion = {region}\n")),
        );
    }
    add("region option that is not a region", &|row| {
        row.keys().region("us east 1")
    });
    add("empty region option", &|row| row.keys().region(""));
}

fn of_profiles(add: &mut Add<'_>) {
    let files = |row: Row| {
        row.config("[default]\nregion = eu-west-2\n[profile dev]\nregion = eu-west-3\n")
            .credentials(CREDENTIALS)
            .without("AWS_DEFAULT_REGION")
    };
    add("no profile", &|row| files(row));
    add("AWS_PROFILE", &|row| files(row).var("AWS_PROFILE", "dev"));
    add("AWS_DEFAULT_PROFILE", &|row| {
        files(row).var("AWS_DEFAULT_PROFILE", "dev")
    });
    add("AWS_PROFILE before AWS_DEFAULT_PROFILE", &|row| {
        files(row)
            .var("AWS_PROFILE", "dev")
            .var("AWS_DEFAULT_PROFILE", "default")
    });
    add("profile option", &|row| {
        files(row).profile("dev").var("AWS_PROFILE", "default")
    });
    add("profile that is not there", &|row| {
        files(row).profile("gone")
    });
    add("AWS_PROFILE that is not there", &|row| {
        files(row).var("AWS_PROFILE", "gone")
    });
    add("empty AWS_PROFILE", &|row| {
        files(row).var("AWS_PROFILE", "")
    });
    add("AWS_PROFILE with a line end", &|row| {
        files(row).var("AWS_PROFILE", "dev\n")
    });
    add("AWS_PROFILE in another case", &|row| {
        files(row).var("AWS_PROFILE", "Dev")
    });
    add("profile default by name", &|row| {
        files(row).profile("default")
    });
    add("profile option and keys", &|row| {
        files(row).keys().profile("dev")
    });
    add("AWS_PROFILE and keys", &|row| {
        files(row).keys().var("AWS_PROFILE", "dev")
    });
    add("profile only in the file of credentials", &|row| {
        row.credentials(CREDENTIALS).profile("dev")
    });
    add("profile default, not there, by name", &|row| {
        row.keys().profile("default")
    });
    for name in [
        "my dev", "a(eu)", "a=b", "a#b", "#a", "team/1", "é", "日本", "a:b", "a]b", "a;b", "a\\b",
        "a'b", "a@b.c", "a+b", "DEFAULT", "profile",
    ] {
        let quoted = format!("'{}'", name.replace('\'', "'\"'\"'"));
        add(&format!("profile in quotes: {name}"), &|row| {
            row.config(&format!("[profile {quoted}]\nregion = eu-west-2\n"))
                .keys()
                .without("AWS_DEFAULT_REGION")
                .profile(name)
                .var("AWS_PROFILE", name)
        });
        add(&format!("profile without quotes: {name}"), &|row| {
            row.config(&format!("[profile {name}]\nregion = eu-west-2\n"))
                .keys()
                .without("AWS_DEFAULT_REGION")
                .var("AWS_PROFILE", name)
        });
    }
    add("profile default twice, the prefixed one last", &|row| {
        row.keys()
            .without("AWS_DEFAULT_REGION")
            .config("[default]\nregion = eu-west-2\n[profile default]\nregion = eu-west-3\n")
    });
    add("profile default twice, the prefixed one first", &|row| {
        row.keys()
            .without("AWS_DEFAULT_REGION")
            .config("[profile default]\nregion = eu-west-3\n[default]\nregion = eu-west-2\n")
    });
    add("more blanks before the name", &|row| {
        row.keys()
            .without("AWS_DEFAULT_REGION")
            .config("[profile \t dev ]\nregion = eu-west-2\n")
            .profile("dev")
    });
    add(
        "a profile without prefix in the file of configuration",
        &|row| {
            row.keys()
                .config("[dev]\nregion = eu-west-2\n")
                .profile("dev")
        },
    );
    add("prefix in the file of credentials", &|row| {
        row.credentials("[profile dev]\naws_access_key_id = A\naws_secret_access_key = s\n")
            .profile("dev")
    });
    add("three words in a section", &|row| {
        row.keys()
            .config("[profile my dev]\nregion = eu-west-2\n")
            .profile("my dev")
    });
}

fn of_files(add: &mut Add<'_>) {
    let files = [
        (
            "indented keys",
            "[default]\n  region = eu-west-2\n  output = json\n",
        ),
        (
            "tabs before keys",
            "[default]\n\tregion = eu-west-2\n\toutput = json\n",
        ),
        (
            "less indented key",
            "[default]\n    output = json\n  region = eu-west-2\n",
        ),
        (
            "key that continues another",
            "[default]\noutput = json\n  region = eu-west-2\n",
        ),
        ("colon", "[default]\nregion: eu-west-2\n"),
        ("colon without a blank", "[default]\nregion:eu-west-2\n"),
        ("both dividers", "[default]\nregion := eu-west-2\n"),
        ("key in capitals", "[default]\nREGION = eu-west-2\n"),
        (
            "indented comments",
            "[default]\n  # c\nregion = eu-west-2\n   ; c\n",
        ),
        ("comment inside", "[default]\nregion = eu-west-2\n # c\n"),
        (
            "lines of Windows",
            "[default]\r\nregion = eu-west-2\r\n\r\n",
        ),
        ("lines of old Macs", "[default]\rregion = eu-west-2\r"),
        ("indented section", "  [default]\n  region = eu-west-2\n"),
        (
            "text after a section",
            "[default] # mine\nregion = eu-west-2\n",
        ),
        (
            "nested keys",
            "[default]\ns3 =\n  max_concurrent_requests = 20\nregion = eu-west-2\n",
        ),
        (
            "nested key without a value",
            "[default]\ns3 =\n  max\nregion = eu-west-2\n",
        ),
        ("empty lines", "\n\n[default]\n\n\nregion = eu-west-2\n\n"),
        ("no end of line", "[default]\nregion = eu-west-2"),
        (
            "inherited",
            "[DEFAULT]\nregion = eu-west-2\n[default]\noutput = json\n",
        ),
        ("blanks at the end", "[default]\nregion = eu-west-2 \t \n"),
        (
            "percent sign",
            "[default]\nregion = eu-west-2\noutput = %x%(y)s\n",
        ),
        (
            "other sections",
            "[plugins]\na = b\n[preview]\nx = y\n[default]\nregion = eu-west-2\n",
        ),
        (
            "section twice",
            "[default]\nregion = eu-west-2\n[default]\noutput = json\n",
        ),
        (
            "key twice",
            "[default]\nregion = eu-west-2\nregion = eu-west-3\n",
        ),
        (
            "key twice in two cases",
            "[default]\nregion = eu-west-2\nRegion = eu-west-3\n",
        ),
        ("key before a section", "region = eu-west-2\n[default]\n"),
        (
            "line that is no setting",
            "[default]\nregion = eu-west-2\nhello\n",
        ),
        ("empty key", "[default]\n= eu-west-2\n"),
        ("empty section", "[]\nregion = eu-west-2\n"),
        ("open section", "[default\nregion = eu-west-2\n"),
        ("byte order mark", "\u{feff}[default]\nregion = eu-west-2\n"),
        (
            "open quote in a section",
            "[profile \"a]\nx = y\n[default]\nregion = eu-west-2\n",
        ),
        ("empty file", ""),
        ("continued region", "[default]\nregion =\n  eu-west-2\n"),
        (
            "no-break space",
            "[default]\n\u{a0}region\u{a0}=\u{a0}eu-west-2\u{a0}\n",
        ),
        ("form feed", "[default]\nregion = eu-west-2\u{c}\n"),
    ];
    for (name, text) in files {
        add(&format!("file: {name}"), &|row| {
            row.keys().without("AWS_DEFAULT_REGION").config(text)
        });
    }
    add("file of credentials that is broken", &|row| {
        row.keys().credentials("hello\n")
    });
    add("file that is not UTF-8", &|row| {
        row.keys().file(
            ".aws/config",
            b"[default]\nregion = eu-west-2\noutput = \xff\n",
        )
    });
    let elsewhere = |row: Row| {
        row.keys()
            .without("AWS_DEFAULT_REGION")
            .config("[default]\nregion = us-west-1\n")
            .file("else/my config", "[default]\nregion = eu-west-2\n")
    };
    add("AWS_CONFIG_FILE", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "{home}/else/my config")
    });
    add("AWS_CONFIG_FILE with a tilde", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "~/else/my config")
    });
    add("AWS_CONFIG_FILE with a variable", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "$HOME/else/my config")
    });
    add("AWS_CONFIG_FILE with a variable in braces", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "${HOME}/else/my config")
    });
    add("AWS_CONFIG_FILE with an unknown variable", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "$NOT_SET/else/my config")
    });
    add("AWS_CONFIG_FILE that is not there", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "{home}/gone")
    });
    add("AWS_CONFIG_FILE that is a directory", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "{home}/else")
    });
    add("AWS_SHARED_CREDENTIALS_FILE with a tilde", &|row| {
        row.file("keys", CREDENTIALS)
            .var("AWS_SHARED_CREDENTIALS_FILE", "~/keys")
    });
    add("empty AWS_CONFIG_FILE", &|row| {
        elsewhere(row).var("AWS_CONFIG_FILE", "")
    });
}

fn of_keys(add: &mut Add<'_>) {
    add("keys in the environment", &|row| row.keys());
    add("session token", &|row| {
        row.keys().var("AWS_SESSION_TOKEN", "t/1")
    });
    add("AWS_SECURITY_TOKEN", &|row| {
        row.keys()
            .var("AWS_SECURITY_TOKEN", "old")
            .var("AWS_SESSION_TOKEN", "new")
    });
    add("empty token", &|row| {
        row.keys().var("AWS_SESSION_TOKEN", "")
    });
    add("no secret", &|row| row.var("AWS_ACCESS_KEY_ID", "A"));
    add("empty secret", &|row| {
        row.keys().var("AWS_SECRET_ACCESS_KEY", "")
    });
    add("secret alone", &|row| {
        row.var("AWS_SECRET_ACCESS_KEY", "s")
            .credentials(CREDENTIALS)
    });
    add("empty key id", &|row| {
        row.keys()
            .var("AWS_ACCESS_KEY_ID", "")
            .credentials(CREDENTIALS)
    });
    for (name, id) in [
        ("line end", "A\n"),
        ("carriage return", "A\r"),
        ("both", "A\r\n"),
    ] {
        add(&format!("key id with a {name}"), &|row| {
            row.keys().var("AWS_ACCESS_KEY_ID", id)
        });
    }
    add("token with a line end", &|row| {
        row.keys().var("AWS_SESSION_TOKEN", "t\n")
    });
    add("secret with a line end", &|row| {
        row.keys().var("AWS_SECRET_ACCESS_KEY", "s\n")
    });
    add("key id in quotes", &|row| {
        row.keys().var("AWS_ACCESS_KEY_ID", "\"A\"")
    });
    add("key id with a blank", &|row| {
        row.keys().var("AWS_ACCESS_KEY_ID", "A B")
    });
    add("key id that is not ASCII", &|row| {
        row.keys().var("AWS_ACCESS_KEY_ID", "é")
    });
    add("expiry that has passed", &|row| {
        row.keys()
            .var("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00Z")
    });
    add("expiry that will come", &|row| {
        row.keys()
            .var("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")
    });
    add("expiry with an offset", &|row| {
        row.keys()
            .var("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00+02:00")
    });
    add("keys in the file of credentials", &|row| {
        row.credentials(CREDENTIALS)
    });
    add("keys in the file of configuration", &|row| {
        row.config("[profile x]\naws_access_key_id: A\naws_secret_access_key: s\n")
            .profile("x")
    });
    add("keys in both files", &|row| {
        row.config("[default]\naws_access_key_id = C\naws_secret_access_key = s\n")
            .credentials(CREDENTIALS)
    });
    add("key id and secret in two files", &|row| {
        row.config("[default]\naws_secret_access_key = s\n")
            .credentials("[default]\naws_access_key_id = A\n")
    });
    add("key id without a secret in a file", &|row| {
        row.credentials("[default]\naws_access_key_id = A\n")
    });
    add("continued key id", &|row| {
        row.credentials("[default]\naws_access_key_id = A\n  B\naws_secret_access_key = s\n")
    });
    add("aws_security_token in a file", &|row| {
        row.credentials(
            "[default]\naws_access_key_id = A\naws_secret_access_key = s\naws_security_token = t\n",
        )
    });
    add("empty token in a file", &|row| {
        row.credentials(
            "[default]\naws_access_key_id = A\naws_secret_access_key = s\naws_session_token =\n",
        )
    });
    add("no credentials", &|row| row);
    add("secret with an equals sign and a hash", &|row| {
        row.credentials("[default]\naws_access_key_id = A\naws_secret_access_key = a=b #c;d\n")
    });
}

fn of_roles(add: &mut Add<'_>) {
    const ROLE: &str = "role_arn = arn:aws:iam::1:role/r\n";
    let role = |row: Row, more: &str| {
        row.credentials(CREDENTIALS)
            .config(&format!("[profile r]\n{ROLE}{more}"))
            .profile("r")
    };
    add("role by a source_profile", &|row| {
        role(row, "source_profile = dev\n")
    });
    add("role by the profile default", &|row| {
        role(row, "source_profile = default\n")
    });
    add("role with everything", &|row| {
        role(
            row,
            "source_profile = dev\nexternal_id = e\nrole_session_name = n\nduration_seconds = 900\n\
             mfa_serial = arn:aws:iam::1:mfa/m\n",
        )
    });
    add("role with a duration that is no number", &|row| {
        role(row, "source_profile = dev\nduration_seconds = 1h\n")
    });
    add("role by a profile that is not there", &|row| {
        role(row, "source_profile = gone\n")
    });
    add("role by nothing", &|row| role(row, ""));
    add("role by both", &|row| {
        role(
            row,
            "source_profile = dev\ncredential_source = Environment\n",
        )
    });
    add("role by itself without keys", &|row| {
        role(row, "source_profile = r\n")
    });
    add("role by itself with keys", &|row| {
        role(
            row,
            "source_profile = r\naws_access_key_id = A\naws_secret_access_key = s\n",
        )
    });
    add("role by a role", &|row| {
        role(
            row,
            "source_profile = q\n[profile q]\nrole_arn = arn:q\nsource_profile = dev\n",
        )
    });
    add("roles in a circle", &|row| {
        role(
            row,
            "source_profile = q\n[profile q]\nrole_arn = arn:q\nsource_profile = r\n",
        )
    });
    add("role by a role with keys", &|row| {
        role(
            row,
            "source_profile = q\n[profile q]\nrole_arn = arn:q\nsource_profile = r\n\
             aws_access_key_id = A\naws_secret_access_key = s\n",
        )
    });
    add("role by a profile without credentials", &|row| {
        role(row, "source_profile = q\n[profile q]\nregion = x\n")
    });
    add("role by a program", &|row| {
        role(
            row,
            "source_profile = q\n[profile q]\ncredential_process = a b\n",
        )
    });
    add("role by a profile with a blank", &|row| {
        role(
            row,
            "source_profile = my dev\n[profile 'my dev']\ncredential_process = a b\n",
        )
    });
    add("role by the environment", &|row| {
        role(row, "credential_source = Environment\n").keys()
    });
    add("role by an environment without keys", &|row| {
        role(row, "credential_source = Environment\n")
    });
    add("role by the instance", &|row| {
        role(row, "credential_source = Ec2InstanceMetadata\n").without("AWS_EC2_METADATA_DISABLED")
    });
    add("role by an instance that must not be asked", &|row| {
        role(row, "credential_source = Ec2InstanceMetadata\n")
    });
    add("role by the container", &|row| {
        role(row, "credential_source = EcsContainer\n")
            .var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")
    });
    add("role by a container that is not there", &|row| {
        role(row, "credential_source = EcsContainer\n")
    });
    add("role by an unknown source", &|row| {
        role(row, "credential_source = Moon\n")
    });
    add("role by a source in another case", &|row| {
        role(row, "credential_source = environment\n").keys()
    });
    add("keys before the role of AWS_PROFILE", &|row| {
        let mut row = role(row, "source_profile = dev\n")
            .keys()
            .var("AWS_PROFILE", "r");
        row.profile = None;
        row
    });
    add("empty role", &|row| {
        row.credentials(CREDENTIALS)
            .config("[profile r]\nrole_arn =\nsource_profile = dev\n")
            .profile("r")
    });
    add("web identity of a profile", &|row| {
        role(row, "web_identity_token_file = /token\n")
    });
    add("web identity of a profile with a session", &|row| {
        role(
            row,
            "web_identity_token_file = /token\nrole_session_name = n\n",
        )
    });
    let web = |row: Row| {
        row.var("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
            .var("AWS_ROLE_ARN", "arn:web")
    };
    add("web identity", &|row| web(row));
    add("web identity with a session", &|row| {
        web(row).var("AWS_ROLE_SESSION_NAME", "n")
    });
    add("web identity before keys in a file", &|row| {
        web(row).credentials(CREDENTIALS)
    });
    add("web identity and profile option", &|row| {
        web(row).credentials(CREDENTIALS).profile("dev")
    });
    add("web identity without a role", &|row| {
        web(row).without("AWS_ROLE_ARN")
    });
    add("web identity with an empty role", &|row| {
        web(row).var("AWS_ROLE_ARN", "")
    });
    add("empty web identity", &|row| {
        web(row)
            .var("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            .credentials(CREDENTIALS)
    });
    add("web identity and keys", &|row| web(row).keys());
}

fn of_others(add: &mut Add<'_>) {
    const SESSION: &str =
        "[sso-session corp]\nsso_region = us-west-2\nsso_start_url = https://x/start#/\n";
    let sso = |row: Row, more: &str| {
        row.config(&format!("[profile s]\n{more}{SESSION}"))
            .profile("s")
    };
    let role = "sso_account_id = 1\nsso_role_name = r\n";
    add("session of SSO", &|row| {
        sso(row, &format!("sso_session = corp\n{role}"))
    });
    add("SSO without a session", &|row| {
        sso(
            row,
            &format!("sso_region = us-west-2\nsso_start_url = https://x/start\n{role}"),
        )
    });
    add("session of SSO that is not there", &|row| {
        sso(row, &format!("sso_session = gone\n{role}"))
    });
    add("SSO with another region", &|row| {
        sso(
            row,
            &format!("sso_session = corp\nsso_region = eu-west-1\n{role}"),
        )
    });
    add("SSO with its region twice", &|row| {
        sso(
            row,
            &format!("sso_session = corp\nsso_region = us-west-2\n{role}"),
        )
    });
    add("SSO without a role", &|row| {
        sso(row, "sso_session = corp\nsso_account_id = 1\n")
    });
    add("SSO without role and account", &|row| {
        sso(row, "sso_session = corp\n")
    });
    add("SSO without a region", &|row| {
        sso(row, &format!("sso_start_url = https://x\n{role}"))
    });
    add("SSO before keys", &|row| {
        sso(row, &format!("sso_session = corp\n{role}"))
            .credentials("[s]\naws_access_key_id = A\naws_secret_access_key = s\n")
    });
    add("session in quotes", &|row| {
        row.config(&format!(
            "[profile s]\nsso_session = my corp\n{role}[sso-session \"my corp\"]\nsso_region = \
             us-west-2\nsso_start_url = https://x\n"
        ))
        .profile("s")
    });
    for (name, command) in [
        ("words", "a b  c"),
        ("quotes", "\"/opt/my tool\" --x 'y z'"),
        ("characters of a shell", "a $HOME ; b | c > d # e"),
        ("backslash", "a\\ b"),
        ("open quote", "a 'b"),
        ("tilde", "~/bin/a"),
        ("colon", "C:x"),
        ("nothing", ""),
    ] {
        add(&format!("program: {name}"), &|row| {
            row.config(&format!("[default]\ncredential_process = {command}\n"))
        });
    }
    add("keys in the file of credentials before a program", &|row| {
        row.config("[default]\ncredential_process = a\n")
            .credentials(CREDENTIALS)
    });
    add("program before keys in the file of configuration", &|row| {
        row.config(
            "[default]\ncredential_process = a\naws_access_key_id = A\naws_secret_access_key = s\n",
        )
    });
    add("program in the file of credentials", &|row| {
        row.credentials("[default]\ncredential_process = a b\n")
    });
    add("login", &|row| {
        row.config("[default]\nlogin_session = arn:x\n")
    });
    add("keys before login", &|row| {
        row.config("[default]\nlogin_session = arn:x\n")
            .credentials(CREDENTIALS)
    });
    add("instance", &|row| row.without("AWS_EC2_METADATA_DISABLED"));
    add("instance that is not quite turned off", &|row| {
        row.var("AWS_EC2_METADATA_DISABLED", "1")
    });
    add("instance turned off in capitals", &|row| {
        row.var("AWS_EC2_METADATA_DISABLED", "TRUE")
    });
    for (name, value) in [("IPv6", "IPv6"), ("of no kind", "IPv5"), ("empty", "")] {
        add(&format!("instance by an address {name}"), &|row| {
            row.without("AWS_EC2_METADATA_DISABLED")
                .var("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", value)
        });
    }
    add("container", &|row| {
        row.var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")
    });
    add("container by an address", &|row| {
        row.var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")
    });
    add("container by no address", &|row| {
        row.var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "nowhere")
    });
    add("token of a container with a line end", &|row| {
        row.var("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")
            .var("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t\n")
    });
    add("container by a path without a slash", &|row| {
        row.var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ":80")
    });
    add("container after a file", &|row| {
        row.credentials(CREDENTIALS)
            .var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")
    });
}

fn of_endpoints(add: &mut Add<'_>) {
    const OWN: &str = "http://127.0.0.1:9000";
    add("endpoint by option", &|row| row.keys().endpoint(OWN));
    add("endpoint with a path", &|row| {
        row.keys().endpoint("https://host:9/base")
    });
    add("endpoint with a path and a slash", &|row| {
        row.keys().endpoint("https://host:9/base/")
    });
    add("endpoint with a path, and virtual style", &|row| {
        row.keys()
            .endpoint("https://host:9/base")
            .config("[default]\ns3 =\n  addressing_style = virtual\n")
    });
    add("endpoint by variable", &|row| {
        row.keys().var("AWS_ENDPOINT_URL", OWN)
    });
    add("endpoint of S3 by variable", &|row| {
        row.keys().var("AWS_ENDPOINT_URL_S3", OWN)
    });
    add("endpoint of CodeDeploy by variable", &|row| {
        row.keys().var("AWS_ENDPOINT_URL_CODEDEPLOY", OWN)
    });
    add("endpoints by variables", &|row| {
        row.keys()
            .var("AWS_ENDPOINT_URL", "http://both")
            .var("AWS_ENDPOINT_URL_S3", OWN)
    });
    add("empty endpoint", &|row| {
        row.keys().var("AWS_ENDPOINT_URL", "")
    });
    add("endpoint that is not an address", &|row| {
        row.keys().var("AWS_ENDPOINT_URL", "nowhere")
    });
    add("endpoint of the profile", &|row| {
        row.keys()
            .config(&format!("[default]\nendpoint_url = {OWN}\n"))
    });
    add("endpoint by variable before that of a service", &|row| {
        row.keys()
            .config(&format!(
                "[default]\nservices = s\n[services s]\ns3 =\n  endpoint_url = {OWN}\n"
            ))
            .var("AWS_ENDPOINT_URL", "http://both")
    });
    add("endpoint of a service", &|row| {
        row.keys().config(&format!(
            "[default]\nservices = s\nendpoint_url = http://both\n[services s]\ns3 =\n  endpoint_url = {OWN}\n"
        ))
    });
    add("services in quotes", &|row| {
        row.keys().config(&format!(
            "[default]\nservices = my s\n[services 'my s']\ncodedeploy =\n  endpoint_url = {OWN}\n"
        ))
    });
    add("services that are not there", &|row| {
        row.keys().config("[default]\nservices = gone\n")
    });
    for value in ["true", "TRUE", "false", "1"] {
        add(&format!("ignored endpoints: {value}"), &|row| {
            row.keys()
                .var("AWS_ENDPOINT_URL", OWN)
                .var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", value)
        });
        add(&format!("FIPS: {value}"), &|row| {
            row.keys().var("AWS_USE_FIPS_ENDPOINT", value)
        });
        add(&format!("dual stack: {value}"), &|row| {
            row.keys().var("AWS_USE_DUALSTACK_ENDPOINT", value)
        });
    }
    add("ignored endpoints of the profile", &|row| {
        row.keys().config(&format!(
            "[default]\nendpoint_url = {OWN}\nignore_configured_endpoint_urls = true\n"
        ))
    });
    add("ignored endpoints, and one by option", &|row| {
        row.keys()
            .endpoint(OWN)
            .var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    });
    add("FIPS and an endpoint", &|row| {
        row.keys()
            .endpoint(OWN)
            .var("AWS_USE_FIPS_ENDPOINT", "true")
    });
    add("dual stack and an endpoint", &|row| {
        row.keys()
            .var("AWS_ENDPOINT_URL_S3", OWN)
            .var("AWS_USE_DUALSTACK_ENDPOINT", "true")
    });
    add("FIPS of the profile", &|row| {
        row.keys()
            .config("[default]\nuse_fips_endpoint = true\n")
            .region("us-east-1")
    });
    add("FIPS and dual stack", &|row| {
        row.keys()
            .var("AWS_USE_FIPS_ENDPOINT", "true")
            .var("AWS_USE_DUALSTACK_ENDPOINT", "true")
            .region("us-east-1")
    });
    let s3 = |row: Row, setting: &str| {
        row.keys()
            .config(&format!("[default]\ns3 =\n  {setting}\n"))
    };
    for style in ["virtual", "path", "auto", "other"] {
        let setting = format!("addressing_style = {style}");
        add(&format!("addressing style {style}"), &|row| {
            s3(row, &setting)
        });
        add(
            &format!("addressing style {style} at an endpoint"),
            &|row| s3(row, &setting).endpoint("https://store.example.com"),
        );
    }
    add("acceleration", &|row| {
        s3(row, "use_accelerate_endpoint = true")
    });
    add("acceleration at an endpoint", &|row| {
        s3(row, "use_accelerate_endpoint = true").endpoint(OWN)
    });
    add("acceleration and path style", &|row| {
        s3(
            row,
            "use_accelerate_endpoint = true\n  addressing_style = path",
        )
    });
    add("dual stack of S3", &|row| {
        s3(row, "use_dualstack_endpoint = true")
    });
    add("no dual stack of S3", &|row| {
        s3(row, "use_dualstack_endpoint = false").var("AWS_USE_DUALSTACK_ENDPOINT", "true")
    });
}

fn of_proxies(add: &mut Add<'_>) {
    const PROXY: &str = "http://proxy.example:3128";
    let sets: &[(&str, &[(&str, &str)])] = &[
        ("HTTPS_PROXY", &[("HTTPS_PROXY", PROXY)]),
        ("https_proxy", &[("https_proxy", PROXY)]),
        ("HTTP_PROXY", &[("HTTP_PROXY", PROXY)]),
        ("ALL_PROXY", &[("ALL_PROXY", "socks5://proxy.example:1080")]),
        (
            "lower case first",
            &[("HTTPS_PROXY", "http://upper:1"), ("https_proxy", PROXY)],
        ),
        (
            "empty in lower case",
            &[("HTTPS_PROXY", PROXY), ("https_proxy", "")],
        ),
        ("empty", &[("HTTPS_PROXY", "")]),
        ("without a scheme", &[("HTTPS_PROXY", "proxy.example:3128")]),
        ("without a port", &[("HTTPS_PROXY", "http://proxy.example")]),
        (
            "with a password",
            &[("HTTPS_PROXY", "http://me:p%40ss@proxy.example:3128")],
        ),
        (
            "with TLS",
            &[("HTTPS_PROXY", "https://proxy.example:3128/")],
        ),
        ("SOCKS", &[("HTTPS_PROXY", "socks5://proxy.example:1080")]),
        ("except all", &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "*")]),
        (
            "except a domain",
            &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "amazonaws.com")],
        ),
        (
            "except a domain with a dot",
            &[("HTTPS_PROXY", PROXY), ("no_proxy", ".amazonaws.com")],
        ),
        (
            "except half a name",
            &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "onaws.com")],
        ),
        (
            "except another",
            &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "example.org, other")],
        ),
        (
            "except S3 in a list",
            &[
                ("HTTPS_PROXY", PROXY),
                ("NO_PROXY", "a, s3.eu-west-1.amazonaws.com"),
            ],
        ),
        (
            "except S3 with its port",
            &[
                ("HTTPS_PROXY", PROXY),
                ("NO_PROXY", "s3.eu-west-1.amazonaws.com:443"),
            ],
        ),
        (
            "except in lower case first",
            &[
                ("HTTPS_PROXY", PROXY),
                ("NO_PROXY", "*"),
                ("no_proxy", "other"),
            ],
        ),
    ];
    for (name, variables) in sets {
        add(&format!("proxy: {name}"), &|row| {
            variables
                .iter()
                .fold(row.keys(), |row, (name, value)| row.var(name, value))
        });
    }
    let own = |row: Row| {
        row.keys()
            .endpoint("http://store.example:9000")
            .var("HTTP_PROXY", PROXY)
    };
    add("proxy of an endpoint", &|row| own(row));
    add("no proxy for host and port", &|row| {
        own(row).var("NO_PROXY", "store.example:9000")
    });
    add("no proxy for another port", &|row| {
        own(row).var("NO_PROXY", "store.example:1")
    });
    add("proxy in a CGI script", &|row| {
        own(row).var("REQUEST_METHOD", "GET")
    });
    add("AWS_CA_BUNDLE", &|row| {
        row.keys().var("AWS_CA_BUNDLE", "/ca")
    });
    add("AWS_CA_BUNDLE with a tilde", &|row| {
        row.keys().var("AWS_CA_BUNDLE", "~/ca")
    });
    add("REQUESTS_CA_BUNDLE", &|row| {
        row.keys().var("REQUESTS_CA_BUNDLE", "/requests")
    });
    add("ca_bundle of the profile", &|row| {
        row.keys()
            .config("[default]\nca_bundle = ~/ca.pem\n")
            .var("REQUESTS_CA_BUNDLE", "/requests")
    });
    add("CA bundle by option", &|row| {
        row.keys().var("AWS_CA_BUNDLE", "/ca").ca_bundle("/option")
    });
}

fn of_numbers(add: &mut Add<'_>) {
    for mode in ["legacy", "standard", "adaptive", "fast", "Standard", ""] {
        add(&format!("AWS_RETRY_MODE {mode:?}"), &|row| {
            row.keys().var("AWS_RETRY_MODE", mode)
        });
        add(&format!("retry_mode {mode:?}"), &|row| {
            row.keys()
                .config(&format!("[default]\nretry_mode = {mode}\n"))
        });
    }
    for attempts in [
        "1",
        "5",
        "0",
        "-1",
        "abc",
        "",
        " 3 ",
        "+2",
        "1.5",
        "99999999999",
    ] {
        add(&format!("AWS_MAX_ATTEMPTS {attempts:?}"), &|row| {
            row.keys().var("AWS_MAX_ATTEMPTS", attempts)
        });
    }
    add("max_attempts 0", &|row| {
        row.keys().config("[default]\nmax_attempts = 0\n")
    });
    for value in ["when_required", "WHEN_SUPPORTED", "never"] {
        add(&format!("checksums {value}"), &|row| {
            row.keys().var("AWS_REQUEST_CHECKSUM_CALCULATION", value)
        });
    }
    for (name, value) in [
        ("AWS_DEFAULTS_MODE", "auto"),
        ("AWS_DEFAULTS_MODE", "nonsense"),
        ("AWS_SDK_UA_APP_ID", "my app/1 é"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "nonsense"),
        ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "abc"),
        ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "nonsense"),
        ("AWS_AUTH_SCHEME_PREFERENCE", "nonsense"),
        ("AWS_SIGV4A_SIGNING_REGION_SET", "nonsense"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "5"),
    ] {
        add(&format!("{name} {value}"), &|row| {
            row.keys().var(name, value)
        });
    }
}
