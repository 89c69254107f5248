//! Hands the body of a request over in pieces, for what counts or delays them.
//!
//! The body of a part is one piece of memory, which a connection would take at once.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body, of which a part may have been taken but not handed over.
pub(super) struct Pieces {
    body: SdkBody,
    rest: Bytes,
}

impl Pieces {
    pub(super) fn new(body: SdkBody) -> Self {
        let rest = Bytes::new();
        Self { body, rest }
    }

    /// The next frame. Data has at most `most` bytes, and at least one.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        most: usize,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(most));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    pub(super) fn is_end(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// How many bytes are still to come, `held` included.
    pub(super) fn size_hint(&self, held: usize) -> SizeHint {
        let here = (held + self.rest.len()) as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + here);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + here);
        }
        hint
    }
}

/// Puts another body around the one of a signed request, unless that is empty.
pub(super) fn wrap<B>(
    context: &mut BeforeTransmitInterceptorContextMut<'_>,
    around: impl FnOnce(Pieces) -> B,
) where
    B: Body<Data = Bytes, Error = BoxError> + Send + Sync + 'static,
{
    let body = context.request_mut().body_mut();
    if body.content_length() != Some(0) {
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(around(Pieces::new(whole)));
    }
}
