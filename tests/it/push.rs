//! `hoist push` as a user runs it: what is stored, what is registered, and what is said.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{
    APPSPEC, Done, Run as _, Scene, Server, Tree, as_nobody, hoist, names, noise, packed, tool,
    within,
};

const LAMBDA: &str = "version: 0.0\nResources:\n  - f:\n      Type: AWS::Lambda::Function\n      \
                      Properties:\n        Name: f\n        Alias: live\n        CurrentVersion: \
                      \"1\"\n        TargetVersion: \"2\"\n";
const ECS: &str = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service",
    "Properties": {"TaskDefinition": "t", "LoadBalancerInfo": {"ContainerName": "c",
    "ContainerPort": 80}}}}]}"#;

/// `hoist push --local`, which starts the endpoint itself.
fn push_local(source: &Path, dir: &Path) -> Command {
    let mut command = hoist();
    command.args(["push", "--application-name", "App", "--source"]);
    command.arg(source).arg("--local").arg(dir);
    command.args(["--s3-location", "s3://bucket/dir/key.zip"]);
    command
}

#[test]
fn the_success_text_is_that_of_the_aws_cli() {
    let scene = Scene::new();
    let done = scene.push(&[]).ok();
    assert_eq!(
        done.stdout,
        format!(
            "To deploy with this revision, run:\n\
             aws deploy create-deployment --application-name App --s3-location \
             bucket=bucket,key=key.zip,bundleType=zip,eTag={} \
             --deployment-group-name <deployment-group-name> \
             --deployment-config-name <deployment-config-name> --description <description>\n",
            done.etag()
        )
    );
    assert!(done.stderr.starts_with("hoist: pushed 4 files: "), "{done}");
    assert_eq!(done.stderr.lines().count(), 1, "{done}");
}

#[test]
fn a_push_stores_what_pack_writes_and_quiet_says_nothing() {
    for is_large in [false, true] {
        let scene = Scene::of_size(is_large);
        assert_eq!(scene.push(&["--quiet"]).ok().stderr, "");
        assert!(scene.stored() == Some(scene.packed()));
        assert_eq!(scene.uploads(), [""; 0]);
    }
}

#[test]
fn the_local_endpoint_stores_and_registers() {
    let (scene, dir) = (Scene::large(), tempfile::tempdir().unwrap());
    let mut push = push_local(scene.tree.path(), dir.path());
    let done = push.args(["--description", "a release"]).ok();
    let object = dir.path().join("buckets/bucket/objects/dir/key.zip");
    assert!(fs::read(object).unwrap() == scene.packed());
    let registered = dir.path().join("codedeploy/us-east-1");
    let name = names(&registered).remove(0);
    let registered = fs::read_to_string(registered.join(name)).unwrap();
    for expected in ["a release", done.etag(), "dir/key.zip", "zip"] {
        assert!(registered.contains(expected), "{expected}: {registered}");
    }
}

#[test]
fn an_endpoint_inside_the_source_is_refused() {
    let tree = Tree::revision();
    let out = tree.path().join("out");
    let done = push_local(tree.path(), &out).fails(252);
    done.says("is inside the source");
    assert!(!out.exists());
}

#[test]
fn the_etag_is_the_same_with_any_number_of_threads() {
    let scene = Scene::large();
    let tags = ["1", "2", "16"].map(|threads| {
        let done = scene.push(&["--threads", threads]).ok();
        done.etag().to_owned()
    });
    assert!(tags[0].ends_with("-2"), "{tags:?}");
    assert_eq!(tags[0], tags[1]);
    assert_eq!(tags[0], tags[2]);
}

#[test]
fn hidden_files_are_left_out_when_asked() {
    let scene = Scene::new();
    let done = scene.push(&["--ignore-hidden-files"]).ok();
    done.says("hoist: pushed 3 files: ");
    let done = scene.push(&["--no-ignore-hidden-files"]).ok();
    done.says("hoist: pushed 4 files: ");
}

#[test]
fn links_to_directories_are_warned_about() {
    let scene = Scene::new();
    scene
        .tree
        .symlink("current", "site")
        .symlink("copy.html", "site/index.html");
    let done = scene.push(&[]).ok();
    let (warning, summary) = done.stderr.split_once('\n').unwrap();
    assert!(warning.contains("warning: "), "{done}");
    assert!(warning.contains("current is a symbolic link"), "{done}");
    assert!(summary.starts_with("hoist: pushed 5 files: "), "{done}");
}

/// `hoist push` in a revision with these arguments alone. It must fail before anything is stored.
fn refused(arguments: &[&str], code: i32) -> Done {
    let scene = Scene::new();
    let mut command = scene.hoist(&["push", "--application-name", "App"]);
    command.args(arguments).current_dir(scene.tree.path());
    let done = command.fails(code);
    assert_eq!(done.stdout, "");
    scene.assert_nothing_is_left();
    done
}

#[test]
fn bad_arguments_have_the_texts_of_the_aws_cli() {
    assert_eq!(
        refused(&["--s3-location", "bucket/key"], 252).stderr,
        "hoist: --s3-location must specify the Amazon S3 URL format as s3://<bucket>/<key>.\n"
    );
    let location = ["--s3-location", "s3://bucket/key.zip"];
    let both = ["--ignore-hidden-files", "--no-ignore-hidden-files"];
    assert_eq!(
        refused(&[location, both].concat(), 252).stderr,
        "hoist: You cannot specify both --ignore-hidden-files and --no-ignore-hidden-files.\n"
    );
    refused(&[], 252).says("--s3-location");
    let done = refused(&[location, ["--level", "13"]].concat(), 252);
    done.says("0 (store) to 12").says("auto");
}

#[test]
fn a_source_without_an_appspec_file_is_refused() {
    let scene = Scene::new();
    let appspec = scene.tree.path().join("appspec.yml");
    fs::remove_file(&appspec).unwrap();
    let expected = format!("hoist: {} was not found\n", appspec.display());
    let done = scene.push(&[]).fails(255);
    assert!(done.stderr.starts_with(&expected), "{done}");
    done.says("name the directory that has it with --source");
    scene.assert_nothing_is_left();
    fs::write(&appspec, "version: 0.0\nos: linux\n").unwrap();
    let done = scene.push(&["--exclude", "*.yml"]).fails(255);
    done.says("a pattern leaves it out: add --include appspec.yml");
    fs::rename(&appspec, appspec.with_file_name("AppSpec.YML")).unwrap();
    scene.push(&[]).fails(255).says("there is an AppSpec.YML");
}

#[test]
fn a_file_that_cannot_be_packed_is_named_and_nothing_is_stored() {
    let scene = Scene::large();
    let socket = scene.tree.path().join("z.sock");
    let _socket = std::os::unix::net::UnixListener::bind(socket).unwrap();
    scene.push(&[]).fails(255).says("z.sock is a socket");
    scene.assert_nothing_is_left();
}

#[test]
fn a_file_or_directory_that_cannot_be_read_is_named() {
    for locked in ["site/index.html", "site"] {
        let (tree, out) = (Scene::new().tree, tempfile::tempdir().unwrap());
        let set = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(tree.path(), 0o755);
        set(out.path(), 0o777);
        tree.mode(locked, 0o000);
        let mut command = hoist();
        command.args(["pack", "-q", "--source"]).arg(tree.path());
        command.arg("-o").arg(out.path().join("out.zip"));
        let Some((mut command, _binary)) = as_nobody(&command) else {
            return;
        };
        let done = command.fails(255);
        tree.mode(locked, 0o755);
        let expected = tree.path().join(locked).display().to_string();
        done.says(&expected).says("Permission denied");
        assert_eq!(names(out.path()), [""; 0]);
    }
}

#[test]
fn a_bucket_that_does_not_exist_is_named() {
    let scene = Scene::new();
    let done = scene
        .push(&["--s3-location", "s3://no-such-bucket/key"])
        .fails(255);
    assert_eq!(
        done.stderr.lines().next().unwrap(),
        format!(
            "hoist: Failed to upload '{}' to 's3://no-such-bucket/key': An error occurred \
             (NoSuchBucket) when calling the HeadBucket operation: The specified bucket does not \
             exist",
            scene.tree.path().display()
        )
    );
    done.says("create the bucket");
}

/// Every file that a push opens to write to, or makes, is in the directory of `--local`.
#[test]
fn a_push_writes_no_temporary_files() {
    let (scene, dir) = (Scene::large(), tempfile::tempdir().unwrap());
    let trace = tempfile::NamedTempFile::new().unwrap();
    let Some(strace) = tool("strace", &["strace"]) else {
        return;
    };
    let calls = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,\
                 symlinkat,rename,renameat,renameat2,memfd_create,truncate";
    let (strace, file) = (strace.get_program(), trace.path().as_os_str());
    let words = ["-f", "-qq", "-e", calls, "-o"].map(AsRef::as_ref);
    let outer = [&[strace][..], &words, &[file]].concat();
    within(&outer, &push_local(scene.tree.path(), dir.path())).ok();

    let only_reads = |call: &str| {
        let reads = call.contains("O_RDONLY") || call.contains("O_PATH");
        call.contains(" open") && reads && !call.contains("O_CREAT")
    };
    let trace = fs::read_to_string(trace.path()).unwrap();
    let dir = format!("\"{}", dir.path().display());
    let (inside, outside): (Vec<&str>, Vec<&str>) = trace
        .lines()
        // The second line of a call that was interrupted names no file; its first line did.
        .filter(|call| call.contains('"') && !only_reads(call))
        .filter(|call| !call.contains("\"/dev/null\""))
        .partition(|call| call.contains(&dir));
    let stores = inside.iter().any(|call| call.contains("/objects/"));
    assert!(stores, "{trace}");
    assert!(outside.is_empty(), "{outside:#?}");
}

// Types of revisions.

/// Pushes `source` as `key`, which must be registered as this type, and returns what is stored.
#[track_caller]
fn pushed_as(server: &Server, source: &Path, key: &str, bundle: &str) -> Vec<u8> {
    let mut push = server.push_of(source, &["--s3-location"]);
    let done = push.arg(format!("s3://bucket/{key}")).ok();
    done.prints(&format!("key={key},bundleType={bundle},eTag="));
    let revisions = server.revisions();
    let at = revisions.find(&format!(r#""key":"{key}""#)).expect(key);
    let start = revisions[..at].rfind('{').unwrap();
    let end = at + revisions[at..].find('}').unwrap();
    let registered = format!(r#""bundleType":"{bundle}""#);
    assert!(revisions[start..end].contains(&registered), "{revisions}");
    fs::read(server.object(key)).unwrap()
}

#[test]
fn a_directory_becomes_what_the_key_ends_with() {
    let scene = Scene::large();
    for (key, bundle) in [
        ("a.zip", "zip"),
        ("a.bin", "zip"),
        ("a.tar", "tar"),
        ("a.tgz", "tgz"),
        ("dir/a.tar.gz", "tgz"),
    ] {
        let stored = pushed_as(&scene, scene.tree.path(), key, bundle);
        let name = key.rsplit('/').next().unwrap();
        assert!(stored == packed(scene.tree.path(), name, &[]), "{key}");
    }
    let done = scene.push(&["--bundle-type", "tar"]).ok();
    done.prints("bundleType=tar");
}

#[test]
fn an_archive_is_sent_as_it_is_and_its_type_is_read_from_its_content() {
    let (scene, dir) = (Scene::large(), tempfile::tempdir().unwrap());
    for (name, bundle) in [("a.zip", "zip"), ("a.tar", "tar"), ("a.tgz", "tgz")] {
        let archive = packed(scene.tree.path(), name, &[]);
        let other = dir.path().join("other");
        fs::write(&other, &archive).unwrap();
        let stored = pushed_as(&scene, &other, &format!("from/{name}"), bundle);
        assert!(stored == archive, "{name}");
    }
}

#[test]
fn an_archive_that_cannot_be_deployed_is_refused_before_the_first_byte() {
    let (scene, dir) = (Scene::new(), tempfile::tempdir().unwrap());
    let without = Tree::new();
    without.file("sub/appspec.yml", APPSPEC).file("a.txt", "a");
    let pushes = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        let done = scene.push_of(&path, &[]).fails(255);
        done.says(name);
        done
    };
    for name in ["a.zip", "a.tar", "a.tgz"] {
        pushes(name, &packed(without.path(), name, &[])).says("appspec.yml");
        let whole = packed(scene.tree.path(), name, &[]);
        pushes(name, &whole[..whole.len() / 2]);
    }
    pushes("text.zip", b"not an archive");
    scene.assert_nothing_is_left();
}

#[test]
fn an_appspec_file_is_a_revision_for_lambda_and_ecs_only() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (yaml, json) = (place("appspec.yaml", LAMBDA), place("service.json", ECS));
    let server = |platform: &str| {
        let server = Server::start();
        server.make_bucket("bucket");
        server.make_application("App", platform);
        server
    };
    let (lambda, ecs) = (server("Lambda"), server("ECS"));
    let stored = pushed_as(&lambda, &yaml, "a.yaml", "YAML");
    assert_eq!(stored, LAMBDA.as_bytes());
    // The key asks for the file in the directory.
    let stored = pushed_as(&lambda, dir.path(), "dir/appspec.yaml", "YAML");
    assert_eq!(stored, LAMBDA.as_bytes());
    let stored = pushed_as(&ecs, &json, "a.json", "JSON");
    assert_eq!(stored, ECS.as_bytes());

    let scene = Scene::new();
    let to_yaml = ["--s3-location", "s3://bucket/a.yaml"];
    let done = scene.push_of(&yaml, &to_yaml).fails(255);
    done.says("compute platform Server");
    let done = lambda.push_of(scene.tree.path(), &[]).fails(255);
    done.says("compute platform Lambda");
    let for_servers = place("appspec.yml", APPSPEC);
    let done = scene.push_of(&for_servers, &to_yaml).fails(255);
    done.says("appspec.yml");
    assert!(!scene.object("a.yaml").exists());
}

/// A push of several parts whose first part is finished last: it has the local header of a large file.
#[test]
fn the_header_of_a_large_file_may_be_sent_after_its_content() {
    let tree = Tree::revision();
    tree.file("noise.bin", noise(18 << 20, 1))
        .file("z.txt", "z");
    let scene = Scene::of(tree);
    let done = scene.push(&[]).ok();
    assert!(done.etag().ends_with("-3"), "{done}");
    assert!(scene.stored() == Some(scene.packed()));
}
