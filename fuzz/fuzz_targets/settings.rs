//! Variables and files of `~/.aws`, in whatever state a machine has them. The clients are made of them, or the
//! error is one line. Nothing is sent and no program runs: credentials are not asked for.

#![no_main]

use std::sync::LazyLock;

use hoist::aws::access::{Access, Environment, connect_in};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
});

/// Variables that are read.
const VARIABLES: [&str; 32] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_RETRY_MODE",
    "AWS_MAX_ATTEMPTS",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_CODEDEPLOY",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
];

fuzz_target!(|input: (Vec<(u8, String)>, Vec<u8>, Vec<u8>, bool)| {
    let (variables, config, credentials, is_named) = input;
    let chosen = variables.into_iter().map(|(number, value)| {
        let name = VARIABLES[usize::from(number) % VARIABLES.len()];
        (name.to_owned(), value)
    });
    // The instance that this runs on is not asked.
    let fixed = [("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let files = [
        ("/h/.aws/config", config),
        ("/h/.aws/credentials", credentials),
    ];
    let environment = Environment::given(chosen.chain(fixed), files);
    let access = Access {
        profile: is_named.then(|| "dev".to_owned()),
        ..Access::default()
    };
    if let Err(error) = RUNTIME.block_on(connect_in(&access, &environment)) {
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
    }
});
