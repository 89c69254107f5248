//! Counts the bytes of a request's body while they are handed to the connection.
//!
//! The pieces go as fast as the connection takes them. The body is wrapped after the request is signed, as
//! the bandwidth limit does it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::body::{Pieces, wrap};
use crate::progress::BodyUnderWay;

/// Bytes of a piece: a fraction of what a connection buffers, and a count of a few bytes' time for each.
const PIECE: usize = 128 << 10;

/// Counts the body of each attempt of one request.
#[derive(Debug)]
pub(super) struct CountBody(pub(super) Arc<BodyUnderWay>);

impl Intercept for CountBody {
    fn name(&self) -> &'static str {
        "CountBody"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.restart();
        wrap(context, |body| CountedBody {
            body,
            count: Arc::clone(&self.0),
        });
        Ok(())
    }
}

struct CountedBody {
    body: Pieces,
    count: Arc<BodyUnderWay>,
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = ready!(this.body.poll(context, PIECE));
        if let Some(Ok(frame)) = &frame
            && let Some(piece) = frame.data_ref()
        {
            this.count.add(piece.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint(0)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;
    use crate::progress::UnderWay;

    #[tokio::test]
    async fn a_body_is_counted_piece_by_piece_and_keeps_its_length_and_bytes() {
        let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let all = UnderWay::default();
        let mut body = CountedBody {
            body: Pieces::new(SdkBody::from(sent.clone())),
            count: all.body(),
        };
        let mut came = Vec::new();
        loop {
            assert_eq!(
                body.size_hint().exact(),
                Some((sent.len() - came.len()) as u64)
            );
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let Some(frame) = frame.await else { break };
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE);
            came.extend_from_slice(&piece);
            assert_eq!(all.bytes(), came.len() as u64);
        }
        assert!(came == sent);
    }
}
