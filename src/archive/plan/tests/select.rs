//! Patterns, tried on trees. `fuzz/fuzz_targets/select.rs` compares them with a plain implementation.

use super::*;

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    let pattern = |text: &&str| match text.split_at(1) {
        ("-", glob) => Pattern::exclude(glob).unwrap(),
        ("+", glob) => Pattern::include(glob).unwrap(),
        _ => panic!("{text}"),
    };
    texts.iter().map(pattern).collect()
}

#[track_caller]
fn takes(dir: &TempDir, texts: &[&str], expected: &[&str]) {
    let options = Options {
        patterns: patterns(texts),
        ..all()
    };
    assert_eq!(names(&scan(dir, &options).unwrap()), expected, "{texts:?}");
}

fn site() -> TempDir {
    tree(&[
        ("appspec.yml", 1),
        ("index.js", 1),
        ("index.ts", 1),
        ("node_modules/a/a.js", 1),
        ("node_modules/a/a.md", 1),
        ("src/deep/x.js", 1),
        ("src/deep/x.ts", 1),
        ("src/main.js", 1),
    ])
}

#[test]
fn the_last_pattern_that_matches_decides() {
    let dir = site();
    let scripts = [
        "index.js",
        "node_modules/a/a.js",
        "src/deep/x.js",
        "src/main.js",
    ];
    takes(&dir, &["-*", "+*.js"], &scripts);
    takes(&dir, &["-**", "+*.js"], &scripts);
    takes(&dir, &["+*.js", "-*"], &[]);
    takes(
        &dir,
        &["-*", "+*.js", "-node_modules"],
        &["index.js", "src/deep/x.js", "src/main.js"],
    );
    // A pattern that matches a directory holds for all below it.
    takes(&dir, &["-*", "-node_modules", "+*.js"], &scripts);
    takes(
        &dir,
        &["-*", "+src"],
        &["src/deep/x.js", "src/deep/x.ts", "src/main.js"],
    );
    takes(
        &dir,
        &["-*", "+src/"],
        &["src/deep/x.js", "src/deep/x.ts", "src/main.js"],
    );
    takes(
        &dir,
        &["-*", "+/src/**", "-*.ts"],
        &["src/deep/x.js", "src/main.js"],
    );
    takes(&dir, &["-*", "+src/*.js"], &["src/main.js"]);
    takes(
        &dir,
        &["-*", "+src/**/*.js"],
        &["src/deep/x.js", "src/main.js"],
    );
    takes(&dir, &["-*", "+s?c/d*p/x.ts"], &["src/deep/x.ts"]);
    takes(
        &dir,
        &["-*", "+[s]rc/deep"],
        &["src/deep/x.js", "src/deep/x.ts"],
    );
    takes(
        &dir,
        &["-src", "-node_modules", "-*.ts"],
        &["appspec.yml", "index.js"],
    );
}

#[test]
fn a_left_out_directory_is_listed_only_if_something_below_it_can_be_included() {
    let seen = |texts: &[&str], path: &str| {
        let rules = Rules::new(&patterns(texts), false, true);
        rules
            .enter(&DirectoryRules::default(), path.as_bytes())
            .is_some()
    };
    for (texts, seen_into) in [
        (&["-out"][..], false),
        (&["-*", "+in/**"], false),
        (&["-*", "+/in/x"], false),
        (&["+*.js", "-out"], false),
        (&["-*", "+out/x/*.js"], true),
        (&["-*", "+o*/x"], true),
        (&["-*", "+{in,out}/x"], false),
        (&["-*", "+[o]ut/x"], true),
        (&["-*", "+*.js"], true),
        (&["-*", "+**/x"], true),
        (&["-*", "+out "], true),
        (&["-out", "+out/x"], true),
        (&["-out/", "+/out"], true),
    ] {
        assert_eq!(seen(texts, "out"), seen_into, "{texts:?}");
    }
}

#[test]
fn hidden_names_are_included_only_by_a_pattern_that_matches_the_name_itself() {
    let dir = tree(&[
        (".env", 1),
        (".git/a.js", 1),
        (".well-known/.x", 1),
        (".well-known/y", 1),
        ("src/.z", 1),
        ("src/a.js", 1),
    ]);
    let hidden = |texts: &[&str]| {
        let options = Options {
            ignore_hidden: true,
            patterns: patterns(texts),
            ..all()
        };
        names(&scan(&dir, &options).unwrap())
    };
    assert_eq!(hidden(&[]), ["src/a.js"]);
    assert_eq!(hidden(&["+.env"]), [".env", "src/a.js"]);
    assert_eq!(hidden(&["-*", "+*.js"]), ["src/a.js"]);
    assert_eq!(
        hidden(&["-*", "+src", "+.well-known"]),
        [".well-known/y", "src/a.js"]
    );
    // A pattern can exclude hidden names, and another include one: aws/aws-cli#3428.
    takes(&dir, &["-.*", "+.env"], &[".env", "src/a.js"]);
}

#[test]
fn files_of_patterns_follow_gits_rules() {
    let dir = site();
    let write = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
    write(
        ".hoistignore",
        "# comment\n\n*.ts\r\n/node_modules/\n!deep/x.ts\n",
    );
    takes(
        &dir,
        &[],
        &["appspec.yml", "index.js", "src/deep/x.js", "src/main.js"],
    );
    write(".hoistignore", "*.ts\n/node_modules/\n!src/deep/x.ts\n");
    let with_x = [
        "appspec.yml",
        "index.js",
        "src/deep/x.js",
        "src/deep/x.ts",
        "src/main.js",
    ];
    takes(&dir, &[], &with_x);
    // The nearer file takes precedence, and only below its directory.
    write("src/.hoistignore", "/main.js\n!*.ts\n/index.js\n");
    takes(
        &dir,
        &[],
        &["appspec.yml", "index.js", "src/deep/x.js", "src/deep/x.ts"],
    );
    // Nothing below a left out directory is included again, and a file of patterns there is not read.
    write("src/.hoistignore", "deep\n");
    write("src/deep/.hoistignore", "!x.js\n[z-a]\n");
    takes(&dir, &[], &["appspec.yml", "index.js", "src/main.js"]);
    // The command line takes precedence over all files.
    takes(
        &dir,
        &["+a.js"],
        &[
            "appspec.yml",
            "index.js",
            "node_modules/a/a.js",
            "src/main.js",
        ],
    );
    takes(
        &dir,
        &["+node_modules", "-*.md"],
        &[
            "appspec.yml",
            "index.js",
            "node_modules/a/a.js",
            "src/main.js",
        ],
    );
    takes(
        &dir,
        &["+.hoistignore", "-src", "-*.js"],
        &[".hoistignore", "appspec.yml"],
    );

    let options = Options {
        ignore_files: false,
        ..all()
    };
    let all = names(&scan(&dir, &options).unwrap());
    assert_eq!(all.len(), 8 + 3);
    assert_eq!(all[0], ".hoistignore");
}

#[test]
fn a_file_of_patterns_that_cannot_be_read_is_an_error() {
    let dir = tree(&[("d/f", 1)]);
    let path = dir.path().join("d/.hoistignore");
    let fails = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let text = scan(&dir, &all()).unwrap_err().to_string();
        text.replace(&dir.path().display().to_string(), "DIR")
    };
    let text = fails(&vec![b'a'; (1 << 20) + 1]);
    assert!(
        text.contains("DIR/d/.hoistignore: it has more than 1 MiB"),
        "{text}"
    );
    fs::remove_file(&path).unwrap();
    symlink("f", &path).unwrap();
    let text = scan(&dir, &all()).unwrap_err().to_string();
    assert!(text.contains("it is a symbolic link"), "{text}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let text = scan(&dir, &all()).unwrap_err().to_string();
    assert!(text.contains("it is not a file"), "{text}");
    // A byte-order mark, which some editors write, is skipped.
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"\xEF\xBB\xBF/f\n").unwrap();
    assert!(scan(&dir, &all()).unwrap().is_empty());
}

#[test]
fn a_pattern_that_can_match_nothing_is_refused_on_the_command_line_only() {
    let dir = tree(&[("a", 1), ("b\\", 1), ("{id}", 1), ("x.py{}", 1)]);
    for text in ["", " ", "/", "[/]", "[a", "b\\"] {
        assert_eq!(
            Pattern::exclude(text),
            Err(BadPattern::MatchesNothing),
            "{text:?}"
        );
        Pattern::include(text).unwrap_err();
    }
    assert_eq!(Pattern::exclude("!a"), Err(BadPattern::Negated));
    fs::write(
        dir.path().join(".hoistignore"),
        b"[[:x:]]\n[a\nb\\\n\xff\na\n",
    )
    .unwrap();
    takes(&dir, &[], &["b\\", "x.py{}", "{id}"]);
}

#[test]
fn braces_are_characters_of_a_name() {
    let dir = tree(&[
        ("a", 1),
        ("a.py", 1),
        ("a.py{}", 1),
        ("a{b", 1),
        ("id", 1),
        ("{id}", 1),
        ("{{c.s}}/f", 1),
    ]);
    takes(
        &dir,
        &["-*.py{}"],
        &["a", "a.py", "a{b", "id", "{id}", "{{c.s}}/f"],
    );
    takes(
        &dir,
        &["-{id}", "-a{b", "-{{c.s}}"],
        &["a", "a.py", "a.py{}", "id"],
    );
    takes(&dir, &["-*", "+{a,id}"], &[]);
    takes(&dir, &["-*", "+{{c.s}}/f"], &["{{c.s}}/f"]);
}

#[test]
fn hash_and_exclamation_mark_are_special_only_in_a_file_of_patterns() {
    // `#` and `!` have a special meaning only in a file of patterns.
    let dir = tree(&[("#a", 1), ("!b", 1), ("c", 1)]);
    takes(&dir, &["-#a"], &["!b", "c"]);
    takes(&dir, &["-\\!b"], &["#a", "c"]);
    takes(&dir, &["-*", "+#a"], &["#a"]);
    takes(&dir, &["-*", "+\\!b"], &["!b"]);
}
