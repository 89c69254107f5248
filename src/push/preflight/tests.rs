use tokio::net::TcpListener;

use super::*;
use crate::aws::access::{Access, connect};
use crate::notes::Note;

#[tokio::test]
async fn a_missing_answer_does_not_stop_the_push() {
    // It accepts connections and never reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let access = Access {
        endpoint_url: Some(url),
        anonymous: true,
        region: Some("us-east-1".into()),
        ..Access::default()
    };
    let clients = connect(&access).await.unwrap();
    let preflight = Preflight {
        s3: clients.s3,
        codedeploy: clients.codedeploy,
        region: clients.region,
        options: ObjectOptions {
            no_overwrite: true,
            ..ObjectOptions::default()
        },
        platform: Some(Platform::Server),
        patience: Duration::from_millis(100),
    };
    let (location, notes) = ("s3://bucket/key".parse().unwrap(), Notes::default());
    let asked = preflight.run(&location, Some("App"), &notes).await;
    assert_eq!(asked, Ok(()));
    let notes = notes.take().into_iter().map(|note| match note {
        Note::Text(text) => text,
        other => panic!("{other:?}"),
    });
    let mut notes: Vec<String> = notes.collect();
    notes.sort();
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (note, operation) in notes
        .iter()
        .zip(["HeadBucket", "GetApplication", "HeadObject"])
    {
        assert!(note.starts_with("not checked: "), "{note}");
        assert!(
            note.contains(&format!("no answer to {operation}")),
            "{note}"
        );
    }
}

#[test]
fn a_platform_takes_its_own_kind_of_revision() {
    let fits = |wanted: Option<Platform>, is| fits(wanted.as_ref(), &is);
    assert!(fits(Some(Platform::Server), Platform::Server));
    assert!(!fits(Some(Platform::Server), Platform::Ecs));
    assert!(!fits(Some(Platform::Lambda), Platform::Server));
    assert!(!fits(Some(Platform::Lambda), Platform::Ecs));
    // An AppSpec file that may be for either.
    assert!(fits(None, Platform::Lambda) && fits(None, Platform::Ecs));
    assert!(!fits(None, Platform::Server));
    assert!(fits(
        Some(Platform::Server),
        Platform::Other("Kubernetes".into())
    ));
}

#[test]
fn a_note_is_taken_once() {
    let notes = Notes::default();
    notes.clone().add("one");
    notes.add("two");
    assert_eq!(notes.take(), ["one", "two"].map(Note::from));
    assert_eq!(notes.take(), []);
}
