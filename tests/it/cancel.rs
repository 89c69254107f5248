//! The one way to end a push early: threads and tasks see the same state.

use hoist::cancel::Cancel;

#[test]
fn a_child_ends_with_its_parent_and_not_the_other_way_round() {
    let parent = Cancel::new();
    let (one, other) = (parent.child(), parent.child());
    one.cancel();
    assert!(one.is_cancelled() && !parent.is_cancelled() && !other.is_cancelled());
    parent.clone().cancel();
    assert!(other.is_cancelled() && other.child().is_cancelled());
}

#[cfg(feature = "push")]
#[tokio::test]
async fn a_task_that_waits_is_woken() {
    let parent = Cancel::new();
    let child = parent.child();
    let waiting = child.run_until_cancelled(std::future::pending::<()>());
    let (ended, ()) = tokio::join!(waiting, async { parent.cancel() });
    assert_eq!(ended, None);
    child.cancelled().await;
}
