//! `hoist verify` and `push --verify`: what was pushed, and what is there in its place.

use std::fs;
use std::path::Path;
use std::process::Command;

use hoist::endpoint::faults::{Fault, Operation, Refusal, Reply};

use crate::support::{Run as _, Scene, Tree, hoist, names, noise, packed, text};

/// A revision of two parts, most of which is an image.
fn tree() -> Tree {
    let tree = Tree::revision();
    tree.file("site/index.html", text(30_000, 1))
        .file("site/image.png", noise(9 << 20, 2))
        .file("site/large.txt", text(1 << 20, 3));
    tree
}

fn scene() -> Scene {
    Scene::of(tree())
}

fn pushed() -> Scene {
    let scene = scene();
    scene.push(&["--quiet"]).ok();
    scene
}

fn verify(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.hoist(&["verify", "s3://bucket/key.zip"]);
    command.args(arguments);
    command
}

/// Changes a bit in the middle of a file. There is the image, which is stored as it is.
fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_pushed_object_is_whole() {
    let scene = pushed();
    let done = verify(&scene, &[]).ok();
    let expected = "s3://bucket/key.zip is whole: 4 entries, ";
    assert!(done.stdout.starts_with(expected), "{done}");
    done.prints("as S3 recorded it");
    verify(&scene, &["--quiet"]).silent();
    verify(&scene, &["--etag", "other"])
        .fails(255)
        .says(", not other");
}

#[test]
fn a_changed_byte_is_found_and_its_entry_is_named() {
    let scene = pushed();
    flip_a_bit(&scene.object("key.zip"));
    let done = verify(&scene, &[]).fails(255);
    done.says("site/image.png\": its CRC-32 is ")
        .says("do not deploy it");
}

#[test]
fn objects_and_files_that_cannot_be_read_are_named() {
    let scene = Scene::new();
    for (arguments, code, said) in [
        (
            &["s3://bucket/none.zip"][..],
            255,
            "cannot read s3://bucket/none.zip",
        ),
        (&["bucket/key.zip"], 255, "cannot open bucket/key.zip"),
        (&["bucket/key.zip"], 255, "s3://<bucket>/<key>"),
        (&["s3://bucket"], 252, "s3://<bucket>/<key>"),
        (
            &["key.zip", "--etag", "x"],
            252,
            "--etag is about an object in S3",
        ),
    ] {
        scene
            .hoist(&["verify"])
            .args(arguments)
            .fails(code)
            .says(said);
    }
}

#[test]
fn a_range_that_is_refused_for_a_while_is_asked_for_again() {
    let scene = pushed();
    let busy = Fault::Refuse(Refusal::SlowDown);
    scene.on(Operation::GetObject, 2..=3, busy);
    verify(&scene, &[]).ok();
    assert!(scene.count(Operation::GetObject) > 3);
}

#[test]
fn an_answer_that_is_too_short_is_asked_for_again() {
    let scene = pushed();
    let few = Fault::Reply(Reply {
        status: 206,
        headers: &[("etag", "\"x\"")],
        body: "few",
    });
    scene.on(Operation::GetObject, .., few);
    let done = verify(&scene, &["--max-attempts", "2"]).fails(255);
    done.says("3 bytes came of ");
    // The first range is that of the end records, and without it no other is known.
    assert_eq!(scene.count(Operation::GetObject), 2);
}

#[test]
fn a_file_is_compared_with_the_manifest() {
    let (tree, out) = (tree(), tempfile::tempdir().unwrap());
    let (archive, manifest) = (out.path().join("a.zip"), out.path().join("m"));
    let mut pack = hoist();
    pack.args(["pack", "--quiet", "--source"]).arg(tree.path());
    pack.arg("-o")
        .arg(&archive)
        .arg("--manifest")
        .arg(&manifest)
        .ok();
    let verify = || {
        let mut command = hoist();
        command.arg("verify").arg(&archive);
        command.arg("--manifest").arg(&manifest);
        command
    };
    let done = verify().ok();
    done.prints("is whole: 4 entries, ")
        .prints("as in the manifest");

    tree.file("site/index.html", text(30_000, 7))
        .mode("site/image.png", 0o755)
        .file("site/new.txt", "new");
    fs::remove_file(tree.path().join("site/large.txt")).unwrap();
    fs::write(&archive, packed(tree.path(), "a.zip", &[])).unwrap();
    let done = verify().fails(255);
    done.says("\"site/index.html\": its CRC-32 is ")
        .says("\"site/image.png\": its permissions are 0755, and 0644 in the manifest")
        .says("\"site/large.txt\": it is missing")
        .says("\"site/new.txt\": it is not in the manifest")
        .says("do not deploy it");
    fs::write(&manifest, "{}\n").unwrap();
    verify()
        .fails(255)
        .says("cannot be used as a manifest: line 1");
}

#[test]
fn the_checksum_of_a_tar_is_compared_with_what_s3_recorded() {
    let scene = scene();
    let key = "s3://bucket/key.tgz";
    scene.push(&["--s3-location", key]).ok();
    let verify = |more: &[&str]| {
        let mut command = scene.hoist(&["verify", key]);
        command.args(more);
        command
    };
    let done = verify(&[]).ok();
    done.prints("is whole: ").prints("as S3 recorded it");
    verify(&["--manifest", "x"]).fails(252).says("is a tgz");
    let done = verify(&["--bundle-type", "zip"]).fails(255);
    done.says("it is no zip, or is cut short");
    verify(&["--etag", "other"]).fails(255).says(", not other");

    // For a file on the disk there is no recorded checksum.
    let mut of_a_file = hoist();
    let done = of_a_file
        .arg("verify")
        .arg(scene.object("key.tgz"))
        .fails(255);
    done.says("nothing says what it should be");
}

#[test]
fn a_push_with_verify_reads_back_before_it_registers() {
    use Operation::{CompleteMultipartUpload, GetObject, HeadObject, RegisterApplicationRevision};

    let (scene, out) = (scene(), tempfile::tempdir().unwrap());
    let manifest = out.path().join("m");
    for (key, more) in [
        ("a.zip", &[][..]),
        ("b.zip", &["--manifest", manifest.to_str().unwrap()]),
        ("c.tar", &[]),
        ("d.tgz", &[]),
    ] {
        scene.forget();
        let mut push = scene.push(&["--verify", "--output", "json"]);
        push.args(["--s3-location", &format!("s3://bucket/{key}")]);
        assert_eq!(push.args(more).ok().json()["verified"], true);
        let asked = scene.operations();
        let last = |of: Operation| asked.iter().rposition(|operation| *operation == of);
        assert!(
            last(CompleteMultipartUpload) < last(HeadObject),
            "{asked:?}"
        );
        assert!(
            last(GetObject) < last(RegisterApplicationRevision),
            "{asked:?}"
        );
    }
    assert!(manifest.exists());
}

/// The store changes a bit between the upload and the verification.
#[test]
fn an_object_that_is_not_what_was_sent_is_not_registered() {
    for (key, more, found) in [
        ("key.zip", &[][..], "\"site/image.png\": its CRC-32 is "),
        (
            "key.zip",
            &["--manifest", "m"],
            "\"site/image.png\": its CRC-32 is ",
        ),
        ("key.tar", &[], "was expected"),
    ] {
        let (scene, out) = (scene(), tempfile::tempdir().unwrap());
        let path = scene.object(key);
        scene.choose(move |request| {
            if request.operation == Operation::HeadObject && path.exists() {
                flip_a_bit(&path);
            }
            None
        });
        let location = format!("s3://bucket/{key}");
        let mut push = scene.push(&["--verify", "--s3-location", &location]);
        let done = push.args(more).current_dir(out.path()).fails(255);
        let expected = format!("{location} is not registered: it is not what was sent");
        done.says(&expected)
            .says(found)
            .says("do not deploy it, and push again");
        assert_eq!(scene.count(Operation::RegisterApplicationRevision), 0);
        assert!(scene.object(key).exists());
        assert_eq!(names(out.path()), [""; 0]);
    }
}

#[test]
fn without_the_permission_to_read_a_push_tells_how_to_register() {
    let scene = Scene::new();
    scene.deny(&[Operation::HeadObject, Operation::GetObject]);
    let done = scene.push(&["--verify", "--no-preflight"]).fails(255);
    done.says("it cannot be read back: ")
        .says("--verify takes s3:GetObject")
        .says("run: hoist register --application-name App ");
    assert_eq!(scene.count(Operation::RegisterApplicationRevision), 0);
    // A denial is an answer, so it is not asked again.
    assert_eq!(scene.count(Operation::HeadObject), 1);
}
