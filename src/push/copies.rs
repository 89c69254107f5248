//! Lets S3 copy stored objects to the destinations that are not uploaded to.

use futures_util::future::join_all;

use super::delivery::{Deliveries, End, Object};
use super::{Error, Observer, Request};
use crate::archive::pack::LinkFeedback;
use crate::cancel::Cancel;
use crate::progress::Phase;
use crate::transfer::{self, Cause, PartStore};

impl<S: PartStore> Deliveries<'_, S> {
    /// Copies the objects, all at the same time, once every upload is complete.
    pub(super) async fn copy(
        &mut self,
        request: &Request,
        observer: &Observer,
        cancel: &Cancel,
    ) -> Result<(), End> {
        self.fail_copies_of_failures();
        self.go_on()?;
        // No packer learns of copies.
        let (link, copying) = (&LinkFeedback::new(), &cancel.child());
        let (keep_going, concurrency) = (self.keep_going, request.uploading.concurrency);
        let mut copies = Vec::new();
        for (index, one) in self.all.iter().enumerate() {
            let from = one
                .destination
                .copy_from
                .and_then(|from| self.all.get(from));
            let Some((from, object)) = from.and_then(|from| Some((from, from.object()?))) else {
                continue;
            };
            let source = from.destination.store.as_source(&object.revision.stored);
            let context = one.observer.context(link, copying);
            copies.push(async move {
                let target = &*one.destination.store;
                let copy = transfer::copy(&source, target, &object.parts, concurrency, context);
                let copied = Box::pin(copy).await;
                if copied.is_err() && !keep_going {
                    copying.cancel();
                }
                (index, source.location, object.receipt, copied)
            });
        }
        if copies.is_empty() {
            return Ok(());
        }
        observer.progress.enter(Phase::Copying);
        let mut stopped = false;
        for (index, from, receipt, copied) in join_all(copies).await {
            let Some(one) = self.all.get_mut(index) else {
                continue;
            };
            match copied {
                Ok(stored) => {
                    let content = request.source.content;
                    one.stored = Some(Object {
                        revision: one.destination.revision(content, stored),
                        receipt,
                        parts: Vec::new(),
                    });
                }
                Err(error) if matches!(error.cause, Cause::Stopped) => {
                    stopped = true;
                    one.left = error.left;
                }
                Err(error) => {
                    one.error = Some(Error::Copy {
                        from,
                        location: one.destination.location.clone(),
                        error: Box::new(error),
                    });
                }
            }
        }
        match stopped && cancel.is_cancelled() {
            true => Err(End::Everywhere(Error::Stopped { left: None })),
            false => self.go_on(),
        }
    }
}
