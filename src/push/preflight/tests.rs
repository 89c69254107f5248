use tokio::net::TcpListener;

use super::*;
use crate::aws::access::{Access, connect};
use crate::notes::Note;

#[tokio::test]
async fn an_answer_that_does_not_come_stops_nothing() {
    // It takes connections, and nobody reads from them.
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
        location: "s3://bucket/key".parse().unwrap(),
        options: ObjectOptions {
            no_overwrite: true,
            ..ObjectOptions::default()
        },
        application: "App".into(),
        platform: Some(Platform::Server),
        notes: Notes::default(),
    };
    assert_eq!(preflight.run().await, Ok(()));
    let notes = preflight.notes.take();
    let mut notes: Vec<String> = notes.into_iter().map(text).collect();
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

fn text(note: Note) -> String {
    match note {
        Note::Text(text) => text,
        other => panic!("{other:?}"),
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
fn notes_are_given_once() {
    let notes = Notes::default();
    notes.clone().add("one");
    notes.add("two");
    assert_eq!(notes.take(), ["one", "two"].map(Note::from));
    assert_eq!(notes.take(), []);
}
