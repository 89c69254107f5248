use clap::{Args as _, Command, FromArgMatches as _};
use proptest::prelude::*;

use super::*;
use crate::cli::Exit;

const PLAIN: [&str; 3] = [
    "--application-name=App",
    "--s3-location=s3://bucket/app.zip",
    "--region=us-east-1",
];

/// The targets of plain options, and of `--destination` with these values.
fn targets_with(plain: &[&str], texts: &[&str]) -> Result<Vec<Target>, Failure> {
    let words = PLAIN.iter().chain(plain);
    let matches = command().args_override_self(true).get_matches_from(words);
    let options = Options::from_arg_matches(&matches).unwrap();
    let Options {
        revision,
        s3_location,
        object,
        access,
        ..
    } = options;
    let plain = Target::plain(&revision, &s3_location, &object, &access)?;
    let destinations = DestinationsArgs {
        texts: texts.iter().map(|&text| text.to_owned()).collect(),
        keep_going: false,
    };
    destinations.targets(plain, false)
}

fn targets(texts: &[&str]) -> Result<Vec<Target>, Failure> {
    targets_with(&[], texts)
}

/// The lines of a failure, which is one of usage.
fn problem(plain: &[&str], texts: &[&str]) -> String {
    let failure = targets_with(plain, texts).map(|all| all.len()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage, "{texts:?}");
    failure.lines.join("\n")
}

/// What the index of each target's source is.
fn copies(texts: &[&str]) -> Result<Vec<Option<usize>>, Failure> {
    let all = targets(texts)?;
    let regions: Vec<_> = all
        .iter()
        .map(|one| one.region().map(str::to_owned))
        .collect();
    sources(&all, &regions)
}

#[test]
fn one_option_takes_several_values_and_may_be_repeated() {
    let command = DestinationsArgs::augment_args(Command::new("push").args_override_self(true));
    let words = "push --destination a b --keep-going --destination=c --destination d";
    let matches = command.get_matches_from(words.split(' '));
    let read = DestinationsArgs::from_arg_matches(&matches).unwrap();
    assert_eq!(read.texts, ["a", "b", "c", "d"]);
    assert!(read.keep_going);
}

#[test]
fn what_a_destination_does_not_say_is_that_of_the_plain_options() {
    let plain = [
        "--description=about it",
        "--sse=aws:kms",
        "--sse-kms-key-id=alias/releases",
        "--acl=bucket-owner-full-control",
        "--storage-class=STANDARD_IA",
        "--tagging=a=b",
        "--metadata=c=d",
        "--expected-bucket-owner=111122223333",
        "--request-payer=requester",
        "--no-overwrite",
        "--profile=work",
        "--endpoint-url=http://127.0.0.1:1",
        "--s3-endpoint-url=http://127.0.0.1:2",
        "--ca-bundle=ca.pem",
        "--no-verify-ssl",
        "--cli-read-timeout=7",
    ];
    let all = targets_with(&plain, &["region=us-west-2,s3-location=s3://west/app.zip"]).unwrap();
    let [first, west] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(west.location.to_string(), "s3://west/app.zip");
    assert_eq!(
        (&*west.application, &*west.description),
        ("App", "about it")
    );
    assert_eq!(west.options, first.options);
    let settings = first.access.settings();
    let expected = hoist::aws::access::Access {
        region: Some("us-west-2".to_owned()),
        ..settings
    };
    assert_eq!(west.access.settings(), expected);
}

#[test]
fn what_a_destination_says_counts_for_it_alone() {
    let plain = [
        "--sse=aws:kms",
        "--sse-kms-key-id=alias/releases",
        "--no-overwrite",
        "--no-verify-ssl",
        "--endpoint-url=http://127.0.0.1:1",
        "--codedeploy-endpoint-url=http://127.0.0.1:2",
        "--metadata=a=b",
    ];
    let text = "region=us-west-2,s3-location=s3://west/app.zip,application-name=West,\
                description='one, two',sse=AES256,no-overwrite=false,no-verify-ssl=false,\
                endpoint-url=http://127.0.0.1:3,metadata={c=d,e='f,g'},tagging=h=i&j=k,profile=west,\
                acl=private,storage-class=STANDARD,expected-bucket-owner=111122223333,\
                request-payer=requester,no-sign-request=true,ca-bundle=other.pem";
    let all = targets_with(&plain, &[text]).unwrap();
    let ObjectOptions {
        encryption,
        kms_key,
        acl,
        storage_class,
        metadata,
        expected_owner,
        requester_pays,
        no_overwrite,
        ..
    } = &all[1].options;
    assert_eq!(encryption.as_deref(), Some("AES256"));
    // A key is for the encryption that it was named with.
    assert_eq!(kms_key, &None);
    assert_eq!(acl.as_deref(), Some("private"));
    assert_eq!(storage_class.as_deref(), Some("STANDARD"));
    let pairs: Vec<_> = metadata.pairs().collect();
    assert_eq!(pairs, [("c", "d"), ("e", "f,g")]);
    assert_eq!(expected_owner.as_deref(), Some("111122223333"));
    assert!(*requester_pays && !no_overwrite);
    assert_eq!(
        (&*all[1].application, &*all[1].description),
        ("West", "one, two")
    );
    let access = all[1].access.settings();
    assert_eq!(access.endpoint_url.as_deref(), Some("http://127.0.0.1:3"));
    assert_eq!(access.codedeploy_endpoint_url, None);
    assert_eq!(access.profile.as_deref(), Some("west"));
    assert!(access.no_sign && !access.no_verify);
    assert!(all[0].access.settings().no_verify);
}

#[test]
fn json_names_one_destination_or_several_in_either_style_of_keys() {
    let one = r#"{"region": "us-west-2", "s3Location": "s3://west/app.zip",
                  "noOverwrite": true, "metadata": {"a": "b"}, "tagging": {"c d": "e"}}"#;
    let all = targets(&[one]).unwrap();
    assert!(all[1].options.no_overwrite);
    assert_eq!(
        all[1].options.metadata.pairs().collect::<Vec<_>>(),
        [("a", "b")]
    );
    assert_eq!(
        format!("{:?}", all[1].options.tags),
        r#"Tags([("c d", "e")])"#
    );
    let two = r#" [{"region": "us-west-2", "s3-location": "s3://west/app.zip"},
                  {"Region": "eu-west-1", "S3Location": "s3://eu/app.zip"}]"#;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("destinations.json");
    std::fs::write(&file, two).unwrap();
    for text in [two, &format!("file://{}", file.display())] {
        let all = targets(&[text]).unwrap();
        let regions: Vec<_> = all.iter().map(Target::region).collect();
        assert_eq!(
            regions,
            [Some("us-east-1"), Some("us-west-2"), Some("eu-west-1")]
        );
    }
    std::fs::write(
        &file,
        "region=us-west-2,\n  s3-location=s3://west/app.zip\n",
    )
    .unwrap();
    let all = targets(&[&format!("file://{}", file.display())]).unwrap();
    assert_eq!(all[1].location.to_string(), "s3://west/app.zip");
}

#[test]
fn a_value_may_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes");
    std::fs::write(&file, "two, three").unwrap();
    let text = format!(
        "region=us-west-2,s3-location=s3://west/app.zip,description@=file://{}",
        file.display()
    );
    assert_eq!(targets(&[&text]).unwrap()[1].description, "two, three");
    let text = "region=us-west-2,s3-location=s3://west/app.zip,description@=file:///no/such";
    assert!(problem(&[], &[text]).contains("Unable to load paramfile file:///no/such"));
}

#[test]
fn each_mistake_is_named_with_the_destination_and_what_to_write() {
    let of_west = |rest: &str| format!("region=us-west-2,s3-location=s3://west/app.zip{rest}");
    for (text, expected) in [
        (
            "s3-location=s3://west/app.zip".to_owned(),
            "--destination number 1: region is missing",
        ),
        (
            "region=us-west-2".to_owned(),
            "--destination us-west-2: s3-location is missing",
        ),
        (
            of_west(",reigon=x"),
            "--destination us-west-2: unknown: reigon\ndid you mean region? the keys are region, s3-location, application-name",
        ),
        (
            "region=us-west-2,s3-location=bucket=b2,key=k.zip".to_owned(),
            "--destination us-west-2: unknown: key\nwrite the object as s3-location=s3://BUCKET/KEY; the keys",
        ),
        (
            "region=us-west-2,s3-location={bucket=b2,key=k.zip}".to_owned(),
            "s3-location takes one value: write s3://BUCKET/KEY",
        ),
        (
            of_west(",kms-key=x,nonsense=y"),
            "unknown: kms-key, nonsense",
        ),
        (of_west(",source=x"), "unknown: source"),
        (of_west(",debug=true"), "unknown: debug"),
        (
            of_west(",description="),
            "description is empty; leave it out, or give it a value",
        ),
        (
            of_west(",region=eu-west-1"),
            "Error parsing parameter '--destination': region is there twice",
        ),
        (
            of_west(",Region=eu-west-1"),
            "--destination us-west-2: region is there twice",
        ),
        (
            r#"{"region": "us-west-2", "region": "x"}"#.to_owned(),
            "region is there twice",
        ),
        (
            of_west(",sse=kms"),
            "sse=kms: choose from AES256, aws:kms, aws:kms:dsse",
        ),
        (
            of_west(",sse-kms-key-id=x"),
            "sse-kms-key-id needs sse=aws:kms",
        ),
        (
            of_west(",sse=AES256,sse-kms-key-id=x"),
            "--destination us-west-2: --sse AES256 takes no key",
        ),
        (
            of_west(",expected-bucket-owner=1"),
            "expected-bucket-owner=1: an account has 12 digits",
        ),
        (
            of_west(",storage-class=GLACIER"),
            "storage-class=GLACIER: instances cannot read",
        ),
        (of_west(",metadata={a=[b]}"), "metadata takes texts: a"),
        (of_west(",metadata=a"), "metadata=a: "),
        (
            of_west(",no-overwrite=yes"),
            "no-overwrite is true or false",
        ),
        (
            of_west(",application-name=two words"),
            "--destination us-west-2: \"two words\" cannot be the name of an application",
        ),
        (
            of_west(",description=a,b"),
            "description has 2 values; put a value that contains a comma in quotes",
        ),
        (
            of_west(",description={a=b}"),
            "description takes one value, not pairs",
        ),
        (
            "region=us-west-2,s3-location=west".to_owned(),
            "--destination us-west-2: --s3-location must specify",
        ),
        (
            "s3://west/app.zip".to_owned(),
            "expected an equals sign, but found the end at character 18 in s3://west/app.zip\na destination is written region=",
        ),
        (String::new(), "expected an equals sign"),
        ("[]".to_owned(), "it names no destination"),
        ("[1]".to_owned(), "each destination is an object in JSON"),
        (
            "{\"region\": \"us-west-2\", \"profile\": 1}".to_owned(),
            "profile is a text: write \"1\" in JSON",
        ),
        (
            "[{\"region\":".to_owned(),
            "Invalid JSON: EOF while parsing",
        ),
        (
            "file:///no/such".to_owned(),
            "Unable to load paramfile file:///no/such",
        ),
    ] {
        let said = problem(&[], &[&text]);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_name_from_outside_begins_no_line() {
    for text in [
        "region=us-west-2,s3-location=s3://b/k,'a\n::error::b'=c",
        "region='a\n::error::b',s3-location=s3://b/k,x=y",
        "{\"region\": \"x\", \"\\n::error::b\": \"c\"}",
        "region=x,s3-location=s3://b/k,sse='a\n::error::b'",
        "region=x,s3-location=s3://b/k,storage-class='a\n::error::b'",
    ] {
        let failure = targets(&[text]).map(|all| all.len()).unwrap_err();
        for line in failure.lines {
            assert!(!line.contains('\n'), "{text:?}: {line}");
        }
    }
}

#[test]
fn no_two_destinations_write_one_object() {
    let again = "region=us-west-2,s3-location=s3://bucket/app.zip";
    assert!(
        problem(&[], &[again]).contains("s3://bucket/app.zip is the object of two destinations")
    );
    let west = "region=us-west-2,s3-location=s3://west/app.zip";
    assert!(problem(&[], &[west, west]).contains("s3://west/app.zip"));
    // Of other stores the names are others'.
    targets(&["region=us-west-2,s3-location=s3://bucket/app.zip,endpoint-url=http://127.0.0.1:1"])
        .unwrap();
    // One region may have several buckets and keys.
    targets(&[
        "region=us-east-1,s3-location=s3://other/app.zip",
        "region=us-east-1,s3-location=s3://bucket/b.zip",
    ])
    .unwrap();
}

#[test]
fn a_key_of_another_region_is_refused() {
    let arn = "arn:aws:kms:us-east-1:111122223333:key/1";
    let west = "region=us-west-2,s3-location=s3://west/app.zip";
    let kms = |key: &str| format!("--sse-kms-key-id={key}");
    let said = problem(&["--sse=aws:kms", &kms(arn)], &[west]);
    let expected = "--destination us-west-2: the key arn:aws:kms:us-east-1:111122223333:key/1 is one of \
                    us-east-1, and S3 takes keys of the bucket's region: name one of us-west-2";
    assert!(said.starts_with(expected), "{said}");
    let given = format!("{west},sse-kms-key-id={arn}");
    assert!(problem(&["--sse=aws:kms"], &[&given]).starts_with(expected));
    let id = "11111111-2222-3333-4444-555555555555";
    let said = problem(&["--sse=aws:kms", &kms(id)], &[west]);
    assert!(said.contains("is one of another region"), "{said}");
    // Its own key, an alias, a multi-Region key, and the same region are as they should be.
    let own = format!("{west},sse-kms-key-id={id}");
    targets_with(&["--sse=aws:kms", &kms(arn)], &[&own]).unwrap();
    targets_with(&["--sse=aws:kms", &kms("alias/a")], &[west]).unwrap();
    targets_with(&["--sse=aws:kms", &kms("mrk-1")], &[west]).unwrap();
    let same = "region=us-east-1,s3-location=s3://west/app.zip";
    targets_with(&["--sse=aws:kms", &kms(arn)], &[same]).unwrap();
    targets_with(&["--sse=aws:kms", &kms(id)], &[same]).unwrap();
}

#[test]
fn a_copy_names_one_uploaded_destination_by_its_region() {
    let to = |region: &str, from: &str| {
        format!("region={region},s3-location=s3://to-{region}/app.zip,copy-from={from}")
    };
    let west = "region=us-west-2,s3-location=s3://west/app.zip";
    assert_eq!(
        copies(&[
            &to("eu-west-1", "us-east-1"),
            west,
            &to("ap-south-1", "us-west-2")
        ])
        .unwrap(),
        [None, Some(0), None, Some(2)]
    );
    // A copy within a region.
    assert_eq!(
        copies(&[&to("us-east-1", "us-east-1")]).unwrap(),
        [None, Some(0)]
    );
    let said = |texts: &[&str]| copies(texts).unwrap_err().lines.join("\n");
    let none = said(&[&to("eu-west-1", "sa-east-1"), west]);
    assert_eq!(
        none,
        "--destination eu-west-1: copy-from=sa-east-1: no other destination is uploaded there; the object \
         is uploaded to us-east-1, us-west-2"
    );
    let itself = said(&[&to("eu-west-1", "eu-west-1")]);
    assert!(
        itself.contains("no other destination is uploaded there"),
        "{itself}"
    );
    let chain = said(&[
        &to("eu-west-1", "us-east-1"),
        &to("ap-south-1", "eu-west-1"),
    ]);
    assert!(chain.contains("is a copy itself"), "{chain}");
    let cycle = said(&[
        &to("eu-west-1", "ap-south-1"),
        &to("ap-south-1", "eu-west-1"),
    ]);
    assert!(cycle.contains("is a copy itself"), "{cycle}");
    let two = "region=us-east-1,s3-location=s3://other/app.zip";
    let unclear = said(&[two, &to("eu-west-1", "us-east-1")]);
    assert!(
        unclear.contains("2 destinations are uploaded there"),
        "{unclear}"
    );
    let elsewhere = format!(
        "{},endpoint-url=http://127.0.0.1:1",
        to("eu-west-1", "us-east-1")
    );
    let elsewhere = said(&[&elsewhere]);
    assert!(
        elsewhere.contains("S3 cannot copy from another endpoint"),
        "{elsewhere}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_a_panic(text in ".{0,60}", tail in "[a=,'\"\\\\\\[\\]{}@ \n]{0,20}") {
        let _ = targets(&[&text]);
        let _ = targets(&[&format!("region=us-west-2,s3-location=s3://west/app.zip,{tail}")]);
        let _ = targets(&[&format!("region=us-west-2,s3-location=s3://west/app.zip,metadata={text}")]);
        let _ = targets(&[&format!("{{\"region\":{text}")]);
    }
}
