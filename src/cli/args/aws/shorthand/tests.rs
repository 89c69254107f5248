use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn read(text: &str) -> Result<Pairs, Error> {
    parse(text, &|path| Ok(format!("content of {}", path.display())))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Text(text) | Value::Other(text) => json!(text),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(pairs) => pairs_as_json(pairs),
    }
}

fn pairs_as_json(pairs: &Pairs) -> Json {
    let pairs = pairs.iter();
    Json::Object(
        pairs
            .map(|(key, value)| (key.clone(), json(value)))
            .collect(),
    )
}

/// The texts that the AWS CLI's own tests and documentation use, and those at which parsers go wrong.
const TEXTS: [&str; 76] = [
    "foo=bar",
    "foo=bar,baz=qux",
    "foo=",
    "foo=,bar=",
    "foo= ",
    "foo = bar , baz = qux",
    "foo=bar\n,\nbaz=qux\n",
    "=b",
    "",
    " ",
    "foo",
    "foo,bar",
    "foo=bar,baz",
    "foo=bar,baz,qux",
    "foo=a,b=c",
    "foo=a,b,c=d,e=f",
    "foo=a,b,c=d,e=",
    "foo=bar,",
    "foo=bar,,baz=qux",
    "foo=a,b,,c=d",
    "foo=,b",
    "foo==bar",
    "foo=a=b",
    "foo=a=b,c=d=e",
    "foo=a=b&c=d,x=y",
    "foo=a,b=c=d",
    "foo=bar,foo=baz",
    "foo=[]",
    "foo=[a,b]",
    "foo=[ a , b ]",
    "foo=[a,b],bar=[c]",
    "foo=[,]",
    "foo=[a,,b]",
    "foo=[a",
    "foo=[a,",
    "foo=[a b",
    "foo=[[a,b],[c]]",
    "foo={a=b}",
    "foo={ a = b , c = d }",
    "foo={}",
    "foo={a=b,c={d=e}}",
    "foo={a=[b,c]}",
    "foo={a=b",
    "foo={a=b,a=c}",
    "foo={a}",
    "foo=a]",
    "foo=a}",
    "foo=]",
    "foo=}",
    "foo='bar'",
    "foo=\"bar\"",
    "foo='a,b=c',bar=d",
    "foo=\"a,b=c\",bar=d",
    "foo='it\\'s'",
    "foo=\"a \\\"b\\\"\"",
    "foo='a\\'",
    "foo='a\\\\'",
    "foo='a\\\\\\'b'",
    "foo=\"a\\\\b\"",
    "foo='a",
    "foo=\"a",
    "foo='a'b",
    "foo='a' ,bar='b' ",
    "foo=a'b",
    "foo=a\"b\"",
    "foo='a','b'",
    "foo=a,'b,c'=d",
    "foo=a\\,b",
    "foo=a\\,b,c",
    "foo=\\,",
    "foo=a\\b",
    "foo=s3://bucket/key with blank ,bar=é£漢",
    "a-b_c.d#e/f:g=h",
    "fo o=bar",
    "foo=a\u{1f}",
    "foo=a\u{1}b",
];

/// The results of the AWS CLI's parser; null where it refuses. None if it is not installed.
fn of_the_aws_cli(texts: &[String]) -> Option<Vec<Json>> {
    const SCRIPT: &str = "
import json, sys
from awscli.shorthand import ShorthandParser
def parsed(text):
    try:
        return ShorthandParser().parse(text)
    except Exception:
        return None
json.dump([parsed(text) for text in json.load(sys.stdin)], sys.stdout)
";
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let sent = child
        .stdin
        .take()?
        .write_all(json!(texts).to_string().as_bytes());
    let output = child.wait_with_output().ok()?;
    if sent.is_err() || !output.status.success() {
        let required = std::env::var_os("HOIST_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "HOIST_REQUIRE_TOOLS=1, but Python has no awscli");
        return None;
    }
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn assert_as_the_aws_cli(texts: &[String]) {
    let Some(expected) = of_the_aws_cli(texts) else {
        return;
    };
    for (text, expected) in texts.iter().zip(expected) {
        let own = read(text).map_or(Json::Null, |pairs| pairs_as_json(&pairs));
        assert_eq!(own, expected, "{text:?}");
    }
}

#[test]
fn a_text_means_what_it_means_to_the_aws_cli() {
    assert_as_the_aws_cli(&TEXTS.map(str::to_owned));
}

/// Texts of pieces that mean something, from a seed.
#[test]
fn any_text_means_what_it_means_to_the_aws_cli() {
    const PIECES: [&str; 20] = [
        "a", "foo", "=", ",", "[", "]", "{", "}", "'", "\"", "\\", "\\,", "\\'", "\\\"", " ", "\n",
        "é", "<", "b=c", ",d=",
    ];
    let mut dice = fastrand::Rng::with_seed(7);
    let texts: Vec<String> = (0..4_000)
        .map(|_| {
            let pieces = (0..dice.usize(1..12)).map(|_| *dice.choice(&PIECES).unwrap());
            let text: String = pieces.collect();
            format!("k={text}")
        })
        .collect();
    assert_as_the_aws_cli(&texts);
}

#[test]
fn a_key_with_an_at_sign_takes_its_value_from_a_file() {
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        read("a@=file://x,b=file://x,c@=y").unwrap(),
        [
            ("a".to_owned(), text("content of x")),
            ("b".to_owned(), text("file://x")),
            ("c".to_owned(), text("y")),
        ]
    );
    let failed = parse("a@=file://x", &|_| Err("no".to_owned()));
    assert_eq!(failed, Err(Error::File("no".to_owned())));
}

#[test]
fn what_is_written_is_read_as_it_was() {
    for values in [
        ["bucket", "dir/app.zip"],
        ["bucket", "with blank, comma=equals"],
        ["it's", "say \"so\""],
        ["a\\", "b\\\"c"],
        ["[list]", "{map}"],
        [" blank ", "\u{1f600}"],
        ["", "\n"],
    ] {
        let text = write(&[("bucket", values[0]), ("key", values[1])]);
        let expected = json!({"bucket": values[0], "key": values[1]});
        let own = match text.starts_with('{') {
            true => serde_json::from_str(&text).unwrap(),
            false => pairs_as_json(&read(&text).unwrap()),
        };
        assert_eq!(own, expected, "{text}");
        if let Some(of_the_aws_cli) =
            of_the_aws_cli(std::slice::from_ref(&text)).filter(|_| !text.starts_with('{'))
        {
            assert_eq!(of_the_aws_cli, [expected], "{text}");
        }
    }
    assert_eq!(
        write(&[("bucket", "b"), ("key", "k.zip")]),
        "bucket=b,key=k.zip"
    );
}

#[test]
fn nesting_has_an_end() {
    let text = format!("a={}", "[".repeat(100_000));
    assert_eq!(read(&text), Err(Error::Deep));
    let text = format!("a={}", "{a=".repeat(100_000));
    assert_eq!(read(&text), Err(Error::Deep));
}

#[test]
fn json_keeps_keys_that_are_there_twice() {
    let value: Value = serde_json::from_str(r#"[{"a":"b","a":true,"c":[1,null]}]"#).unwrap();
    let other = |text: &str| Value::Other(text.to_owned());
    let pairs = vec![
        ("a".to_owned(), Value::Text("b".to_owned())),
        ("a".to_owned(), other("true")),
        ("c".to_owned(), Value::List(vec![other("1"), other("null")])),
    ];
    assert_eq!(value, Value::List(vec![Value::Map(pairs)]));
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in ".*") {
        let _ = read(&text);
    }

    #[test]
    fn no_text_of_the_syntax_is_a_panic(text in "[a=,'\"\\\\\\[\\]{}@ \n]{0,40}") {
        let _ = read(&text);
    }
}
