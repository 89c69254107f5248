use proptest::prelude::*;

use super::*;

fn entry<'a>(path: &'a [u8], content: &[u8]) -> Entry<'a> {
    Entry {
        path,
        kind: Kind::File,
        mode: 0o644,
        size: content.len() as u64,
        crc32: crc32fast::hash(content),
        blake3: blake3::hash(content),
    }
}

fn written(entries: &[Entry<'_>]) -> String {
    let mut writer = Writer::new(Vec::new()).unwrap();
    entries
        .iter()
        .for_each(|entry| writer.entry(entry).unwrap());
    String::from_utf8(writer.finish().unwrap().0).unwrap()
}

/// Paths and kinds, or the error.
fn read(text: &[u8]) -> Result<Vec<(Vec<u8>, Kind)>, Error> {
    let mut reader = Reader::new(text)?;
    let mut found = Vec::new();
    while let Some(entry) = reader.entry()? {
        found.push((entry.path.to_vec(), entry.kind));
    }
    assert_eq!(reader.totals().unwrap().entries, found.len() as u64);
    assert!(reader.entry().unwrap().is_none());
    Ok(found)
}

fn fault(text: impl AsRef<[u8]>) -> (u64, Fault) {
    match read(text.as_ref()) {
        Err(Error::Line { line, fault }) => (line, fault),
        other => panic!("{other:?}"),
    }
}

/// A file, a link, a directory, and names that need care.
fn some() -> String {
    let link = Entry {
        kind: Kind::Symlink,
        mode: 0o777,
        ..entry(b"link", b"a")
    };
    let directory = Entry {
        kind: Kind::Directory,
        mode: 0o755,
        ..entry(b"logs/", b"")
    };
    let set = Entry {
        mode: 0o4755,
        ..entry(b"set", b"x")
    };
    written(&[
        entry(b"a", b"hello"),
        entry(b"b\xff", b""),
        entry("caf\u{e9} \"\\\u{7f}\n".as_bytes(), b"1"),
        link,
        directory,
        set,
    ])
}

#[test]
fn the_lines_are_as_documented() {
    let text = some();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            r#"{"format":"hoist-manifest","version":1}"#,
            r#"{"path":"a","kind":"file","mode":"0644","size":5,"crc32":"3610a686","blake3":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#,
            r#"{"path_hex":"62ff","kind":"file","mode":"0644","size":0,"crc32":"00000000","blake3":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}"#,
        ]
    );
    assert!(
        lines[3].starts_with(r#"{"path":"café \"\\"#),
        "{}",
        lines[3]
    );
    assert!(lines[4].contains(r#""kind":"symlink","mode":"0777""#));
    assert!(lines[5].starts_with(r#"{"path":"logs/","kind":"directory","mode":"0755","size":0,"#));
    assert!(lines[6].contains(r#""mode":"4755""#));
    assert!(lines[7].starts_with(r#"{"entries":6,"content":8,"digest":"blake3:"#));
    assert_eq!(lines.len(), 8);
    let names: Vec<Vec<u8>> = read(text.as_bytes())
        .unwrap()
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(names[1], b"b\xff");
    assert_eq!(names[2], "caf\u{e9} \"\\\u{7f}\n".as_bytes());
    assert_eq!(read(written(&[]).as_bytes()).unwrap(), []);
}

#[test]
fn a_line_that_the_writer_would_not_write_is_refused() {
    let text = some();
    // What to replace in the text, by what, and the line and fault that the reader reports.
    #[rustfmt::skip]
    let cases = [
        ("hoist-manifest", "manifest", 1, Fault::Head),
        (r#""version":1"#, r#""version":2"#, 1, Fault::Version(2)),
        (r#""version":1"#, r#""version": 1"#, 1, Fault::Head),
        // The same values, written in another way.
        (r#""path":"a""#, r#""path":"\u0061""#, 2, Fault::Form),
        (r#""path":"a","#, r#""path": "a","#, 2, Fault::Form),
        (r#""path":"a""#, r#""path_hex":"61""#, 2, Fault::Form),
        (r#""path_hex":"62ff""#, r#""path_hex":"62FF""#, 3, Fault::Form),
        (r#""path_hex":"62ff""#, r#""path_hex":"62f""#, 3, Fault::Form),
        (r#""path_hex":"62ff""#, r#""path_hex":"62+f""#, 3, Fault::Form),
        (r#""mode":"0644""#, r#""mode":"644""#, 2, Fault::Form),
        (r#""mode":"0644""#, r#""mode":"+644""#, 2, Fault::Form),
        (r#""mode":"4755""#, r#""mode":"14755""#, 7, Fault::Mode),
        (r#""size":5"#, r#""size":5.0"#, 2, Fault::Form),
        (r#""size":5"#, r#""size":-5"#, 2, Fault::Form),
        ("3610a686", "3610A686", 2, Fault::Form),
        (r#","crc32":"3610a686""#, "", 2, Fault::Form),
        (r#""kind":"file""#, r#""kind":"pipe""#, 2, Fault::Form),
        (r#""kind":"file","#, r#""kind":"file","kind":"file","#, 2, Fault::Form),
        (r#""mode":"0644""#, r#""x":1,"mode":"0644""#, 2, Fault::Form),
        ("logs/", "logs", 6, Fault::Directory),
        (r#""path":"a""#, r#""path":"a/""#, 2, Fault::Directory),
        (r#""path":"a""#, r#""path":"""#, 2, Fault::Order),
        (r#""path":"a""#, r#""path":"c""#, 3, Fault::Order),
        // Well formed, but the last line does not agree.
        (r#""size":5"#, r#""size":6"#, 8, Fault::Totals),
        (r#""mode":"0777""#, r#""mode":"0755""#, 8, Fault::Totals),
        ("ea8f163d", "ea8f163e", 8, Fault::Totals),
        (r#""entries":6"#, r#""entries":7"#, 8, Fault::Totals),
        ("blake3:", "blake2:", 8, Fault::Form),
    ];
    for (from, to, line, what) in cases {
        assert!(text.contains(from), "{from}");
        assert_eq!(fault(text.replacen(from, to, 1)), (line, what), "{to}");
    }
    assert_eq!(fault(""), (1, Fault::Head));
    assert_eq!(fault("{}\n"), (1, Fault::Head));
    assert_eq!(fault(format!("{text}\n")), (9, Fault::Trailing));
    assert_eq!(fault(text.replace('\n', "\r\n")), (1, Fault::Head));
    assert_eq!(fault(text.trim_end()), (8, Fault::Cut));
    let last = text.rfind("{\"entries").unwrap();
    assert_eq!(fault(&text[..last]), (8, Fault::Cut));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(2);
    assert_eq!(fault(lines.join("\n") + "\n"), (7, Fault::Totals));
}

#[test]
fn lines_longer_than_the_limit_are_refused_and_the_longest_path_fits() {
    let mut text = b"{\"format\":\"hoist-manifest\",\"version\":1}\n{\"path\":\"".to_vec();
    text.resize(text.len() + (1 << 20), b'a');
    assert_eq!(fault(&text), (2, Fault::Long));
    // The longest path of an archive fits, even if each byte is written as six.
    let path = [1; 4096];
    let text = written(&[entry(&path, b"")]);
    assert_eq!(read(text.as_bytes()).unwrap().len(), 1);
    let path = [1; MAX_LINE];
    let mut writer = Writer::new(Vec::new()).unwrap();
    let error = writer.entry(&entry(&path, b"")).unwrap_err();
    assert!(
        error.to_string().starts_with("line 2: it is longer"),
        "{error}"
    );
}

#[test]
fn the_writer_refuses_entries_that_the_reader_would_refuse() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.entry(&entry(b"b", b"")).unwrap();
    for path in [&b"b"[..], b"a", b""] {
        let error = writer.entry(&entry(path, b"")).unwrap_err();
        assert!(error.to_string().starts_with("line 3: its path"), "{error}");
    }
    let huge = Entry {
        size: u64::MAX,
        ..entry(b"c", b"")
    };
    writer.entry(&huge).unwrap();
    let more = entry(b"d", b"1");
    assert!(writer.entry(&more).is_err());
}

#[test]
fn a_manifest_replaces_its_target_only_when_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("manifest.jsonl");
    std::fs::write(&target, "old").unwrap();
    let names = || std::fs::read_dir(dir.path()).unwrap().count();
    let mut draft = Draft::create(&target).unwrap();
    draft.entry(&entry(b"a", b"hello")).unwrap();
    drop(draft);
    assert_eq!(
        (std::fs::read(&target).unwrap(), names()),
        (b"old".to_vec(), 1)
    );

    let mut draft = Draft::create(&target).unwrap();
    draft.entry(&entry(b"a", b"hello")).unwrap();
    let finished = draft.finish().unwrap();
    let mut reader = Reader::new(finished.open().unwrap()).unwrap();
    assert_eq!(reader.entry().unwrap().unwrap(), entry(b"a", b"hello"));
    assert!(reader.entry().unwrap().is_none());
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    assert_eq!(finished.totals(), reader.totals().unwrap());
    finished.keep().unwrap();
    assert_eq!(
        std::fs::read_to_string(&target).unwrap(),
        written(&[entry(b"a", b"hello")])
    );
    assert_eq!(names(), 1);

    let error = Draft::create(&dir.path().join("none/x")).unwrap_err();
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}

proptest! {
    #[test]
    fn any_entries_are_read_as_they_were_written(
        entries in proptest::collection::btree_map(
            proptest::collection::vec(any::<u8>(), 1..40),
            (0..3_u8, 0..0o10000_u32, any::<u32>(), any::<u32>(), any::<[u8; 32]>()),
            0..20,
        )
    ) {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(path, (kind, mode, size, crc32, digest))| {
            let kind = match kind {
                _ if path.ends_with(b"/") => Kind::Directory,
                0 => Kind::Symlink,
                _ => Kind::File,
            };
            let size = if kind == Kind::Directory { 0 } else { u64::from(*size) };
            Entry { path, kind, mode: *mode, size, crc32: *crc32, blake3: Hash::from_bytes(*digest) }
        }).collect();
        let text = written(&entries);
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        for entry in &entries {
            let read = reader.entry().unwrap();
            prop_assert_eq!(read.as_ref(), Some(entry));
        }
        prop_assert!(reader.entry().unwrap().is_none());
    }

    #[test]
    fn any_changed_byte_is_noticed(at in any::<proptest::sample::Index>(), flip in 1..=255_u8) {
        let mut text = some().into_bytes();
        let at = at.index(text.len());
        // The CRC-32 is not in the digest: it is compared with the archive.
        let line = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let field = String::from_utf8_lossy(&text[line..at]).contains("\"crc32\":\"");
        let field = field && !String::from_utf8_lossy(&text[line..at]).contains("\"blake3\":\"");
        text[at] ^= flip;
        prop_assert!(field || read(&text).is_err());
    }
}
