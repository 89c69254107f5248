//! Symbolic links of each kind, under each option.

use super::*;

fn with(symlinks: Symlinks) -> Options {
    Options { symlinks, ..all() }
}

/// A tree with links to a file and to directories in it.
fn linked() -> TempDir {
    let dir = tree(&[("d/f", 3), ("d/e/g", 4)]);
    symlink("d/f", dir.path().join("file")).unwrap();
    symlink("d", dir.path().join("dir")).unwrap();
    symlink("../d/e", dir.path().join("d/again")).unwrap();
    dir
}

#[track_caller]
fn fails(dir: &TempDir, options: &Options) -> String {
    let text = scan(dir, options).unwrap_err().to_string();
    text.replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn files_behind_followed_links_have_the_links_paths() {
    let dir = linked();
    let plan = scan(&dir, &with(Symlinks::Follow)).unwrap();
    assert_eq!(
        names(&plan),
        [
            "d/again/g",
            "d/e/g",
            "d/f",
            "dir/again/g",
            "dir/e/g",
            "dir/f",
            "file"
        ]
    );
    let place = |path: &str| String::from_utf8(plan.place(path.as_bytes()).into_owned()).unwrap();
    for (path, at) in [
        ("", ""),
        ("d/e", "d/e"),
        ("dir", "d"),
        ("dir/e", "d/e"),
        ("dir/again", "d/e"),
        ("dir/again/g", "d/e/g"),
        ("d/again", "d/e"),
        ("dirt", "dirt"),
    ] {
        assert_eq!(place(path), at, "{path}");
    }
    assert_eq!(noticed(&plan), []);
    let sizes: Vec<_> = (0..plan.len()).map(|n| plan.entry(n).size).collect();
    assert_eq!(sizes, [4, 4, 3, 4, 4, 3, 3]);
}

#[test]
fn a_link_back_is_an_error_that_names_the_link() {
    for (text, at) in [
        (".", "d/loop"),
        ("..", "d/loop"),
        ("e", "d/e/back"),
        ("../d", "d/loop"),
    ] {
        let dir = tree(&[("d/e/f", 1)]);
        symlink(text, dir.path().join("d/loop")).unwrap();
        if text == "e" {
            symlink("..", dir.path().join("d/e/back")).unwrap();
        }
        let options = with(Symlinks::Follow);
        let text = fails(&dir, &options);
        let link = text.strip_prefix("the symbolic link DIR/").unwrap();
        let link = link.split(' ').next().unwrap();
        // Of two links that make a loop together, either may be named.
        assert!(
            link == at || link.ends_with("/back") || link.ends_with("/loop"),
            "{text}"
        );
        assert!(
            text.contains("leads back to a directory above it"),
            "{text}"
        );
        // An excluded link is no error.
        let options = Options {
            patterns: ["loop", "back"]
                .map(|glob| Pattern::exclude(glob).unwrap())
                .into(),
            ..options
        };
        assert_eq!(names(&scan(&dir, &options).unwrap()), ["d/e/f"]);
    }
    // The link leads to the source's parent, which holds the source.
    let dir = tree(&[("source/f", 1)]);
    symlink("..", dir.path().join("source/up")).unwrap();
    let options = Options {
        external_links: true,
        ..with(Symlinks::Follow)
    };
    let error = Plan::scan(&dir.path().join("source"), &options, &Cancel::new()).unwrap_err();
    let Error::Loop { path } = &error else {
        panic!("{error}")
    };
    assert_eq!(path, &dir.path().join("source/up"));
}

#[test]
fn a_link_out_of_the_source_is_an_error_unless_allowed() {
    let outside = tree(&[("sub/secret", 5)]);
    let target = |name: &str| outside.path().join(name);
    for (link, text, kept) in [
        ("file", target("sub/secret"), "file"),
        ("dir", target("sub"), "dir/secret"),
    ] {
        let dir = tree(&[("f", 1)]);
        symlink(&text, dir.path().join(link)).unwrap();
        for symlinks in [Symlinks::Follow, Symlinks::Preserve] {
            let error = fails(&dir, &with(symlinks));
            assert!(
                error.starts_with(&format!(
                    "the symbolic link DIR/{link} leads out of the source, to "
                )),
                "{error}"
            );
            let options = Options {
                external_links: true,
                ..with(symlinks)
            };
            let plan = scan(&dir, &options).unwrap();
            let name = if symlinks == Symlinks::Follow {
                kept
            } else {
                link
            };
            assert!(
                names(&plan).contains(&name.to_owned()),
                "{:?}",
                names(&plan)
            );
            let external = (NoticeKind::ExternalLink, vec![link.to_owned()]);
            assert!(noticed(&plan).contains(&external), "{:?}", noticed(&plan));
        }
    }
}

#[test]
fn an_absolute_link_into_the_source_can_be_followed_but_not_kept() {
    let dir = tree(&[("d/f", 3)]);
    symlink(dir.path().join("d"), dir.path().join("dir")).unwrap();
    symlink(dir.path().join("d/f"), dir.path().join("file")).unwrap();
    let plan = scan(&dir, &with(Symlinks::Follow)).unwrap();
    assert_eq!(names(&plan), ["d/f", "dir/f", "file"]);
    assert_eq!(noticed(&plan), []);
    let error = fails(&dir, &with(Symlinks::Preserve));
    assert!(error.contains("leads out of the source"), "{error}");
}

#[test]
fn kept_links_have_their_text_as_content() {
    let dir = linked();
    symlink("gone/../nothing", dir.path().join("dangling")).unwrap();
    let plan = scan(&dir, &with(Symlinks::Preserve)).unwrap();
    assert_eq!(
        names(&plan),
        ["d/again", "d/e/g", "d/f", "dangling", "dir", "file"]
    );
    let links: Vec<_> = (0..plan.len())
        .map(|n| plan.entry(n))
        .filter_map(|entry| match entry.kind {
            Kind::Link(text) => {
                assert_eq!(entry.size, text.len() as u64);
                assert_eq!(entry.st_mode(), 0o120_777);
                Some(String::from_utf8_lossy(text).into_owned())
            }
            _ => None,
        })
        .collect();
    assert_eq!(links, ["../d/e", "gone/../nothing", "d", "d/f"]);
    assert_eq!(plan.total_size(), 4 + 3 + 6 + 15 + 1 + 3);
    let kept = ["d/again", "dangling", "dir", "file"].map(str::to_owned);
    assert_eq!(noticed(&plan), [(NoticeKind::KeptLink, kept.to_vec())]);
}

#[test]
fn a_kept_link_whose_text_stays_inside_can_lead_out_through_another_link() {
    // `up` is the source, so `up/..` is its parent.
    let dir = tree(&[("a/b/f", 1)]);
    symlink("../..", dir.path().join("a/b/up")).unwrap();
    symlink("a/b/up/..", dir.path().join("out")).unwrap();
    let error = fails(&dir, &with(Symlinks::Preserve));
    assert!(error.contains("DIR/out leads out of the source"), "{error}");
}

#[test]
fn links_are_left_out_or_refused_on_request() {
    let dir = linked();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let plan = scan(&dir, &with(Symlinks::Skip)).unwrap();
    assert_eq!(names(&plan), ["d/e/g", "d/f"]);
    let skipped = ["d/again", "dangling", "dir", "file"].map(str::to_owned);
    assert_eq!(
        noticed(&plan),
        [(NoticeKind::SkippedLink, skipped.to_vec())]
    );

    let error = fails(&dir, &with(Symlinks::Error));
    assert!(error.ends_with("is a symbolic link"), "{error}");
    let options = Options {
        patterns: ["dangling", "dir", "file", "d/again"]
            .map(|glob| Pattern::exclude(glob).unwrap())
            .into(),
        ..with(Symlinks::Error)
    };
    assert_eq!(names(&scan(&dir, &options).unwrap()), ["d/e/g", "d/f"]);
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_unless_it_is_left_out() {
    for symlinks in [Symlinks::Files, Symlinks::Follow] {
        let dir = tree(&[("f", 1)]);
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        symlink("itself", dir.path().join("itself")).unwrap();
        let error = fails(&dir, &with(symlinks));
        assert!(
            error.starts_with("cannot follow the symbolic link DIR/"),
            "{error}"
        );
        let options = Options {
            patterns: vec![
                Pattern::exclude("dangling").unwrap(),
                Pattern::exclude("itself").unwrap(),
            ],
            ..with(symlinks)
        };
        assert_eq!(names(&scan(&dir, &options).unwrap()), ["f"]);
    }
}

#[test]
fn patterns_treat_a_followed_link_as_a_directory() {
    let dir = linked();
    let follow = |texts: &[(&str, bool)]| {
        let patterns = texts.iter().map(|(glob, include)| match include {
            true => Pattern::include(glob).unwrap(),
            false => Pattern::exclude(glob).unwrap(),
        });
        let options = Options {
            patterns: patterns.collect(),
            ..with(Symlinks::Follow)
        };
        names(&scan(&dir, &options).unwrap())
    };
    assert_eq!(
        follow(&[("dir/", false), ("again/", false)]),
        ["d/e/g", "d/f", "file"]
    );
    assert_eq!(follow(&[("*", false), ("dir/f", true)]), ["dir/f"]);
}
