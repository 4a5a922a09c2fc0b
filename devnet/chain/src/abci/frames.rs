//! Frames of the ABCI socket: each message behind its length as a varint.
//!
//! A length is believed only up to [`MAX_FRAME`], and memory is taken as bytes arrive, not as they are announced.

use prost::Message;
use std::io;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest frame, as CometBFT's own limit.
pub(super) const MAX_FRAME: u64 = 104_857_600;
/// Bytes of a varint of 64 bits.
const MAX_VARINT: u32 = 10;

/// Why there is no message.
#[derive(Debug, Error)]
pub(super) enum BadFrame {
    #[error("connection failed")]
    Io(#[from] io::Error),
    #[error("length of a frame is no varint of 64 bits")]
    Length,
    #[error("frame of {0} bytes, at most {MAX_FRAME} are accepted")]
    TooLong(u64),
    #[error("frame does not decode")]
    Decode(#[from] prost::DecodeError),
}

/// Reads the next message; `None` where the stream ends between two messages.
pub(super) async fn fetch_frame<M: Message + Default>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<M>, BadFrame> {
    let Some(length) = fetch_length(stream).await? else { return Ok(None) };
    if length > MAX_FRAME {
        return Err(BadFrame::TooLong(length));
    }
    let mut bytes = vec![];
    stream.take(length).read_to_end(&mut bytes).await?;
    if u64::try_from(bytes.len()).ok() != Some(length) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(M::decode(bytes.as_slice())?))
}

async fn fetch_length(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<u64>, BadFrame> {
    let mut length = 0u64;
    for at in 0..MAX_VARINT {
        let mut byte = [0u8];
        if stream.read(&mut byte).await? == 0 {
            return if at == 0 {
                Ok(None)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            };
        }
        let part = u64::from(byte[0] & 0x7f);
        // The tenth byte has room for one bit.
        if at == MAX_VARINT - 1 && part > 1 {
            return Err(BadFrame::Length);
        }
        length |= part << (7 * at);
        if byte[0] & 0x80 == 0 {
            return Ok(Some(length));
        }
    }
    Err(BadFrame::Length)
}

/// Writes a message.
pub(super) async fn send_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Message,
) -> io::Result<()> {
    let bytes = message.encode_length_delimited_to_vec();
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FRAME) {
        let why = format!("answer of {} bytes, at most {MAX_FRAME} can be sent", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    stream.write_all(&bytes).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmrs::proto::tendermint::v0_38::abci::{Request, RequestEcho, request::Value};
    use proptest::prelude::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn echo(message: String) -> Request {
        Request { value: Some(Value::Echo(RequestEcho { message })) }
    }

    #[test]
    fn a_length_is_refused_before_a_byte_of_content_is_waited_for() {
        for (bytes, expected) in [
            (&[0x81, 0x80, 0x80, 0x32][..], "frame of 104857601 bytes, at most 104857600 are accepted"),
            (&[0xff; 10], "length of a frame is no varint of 64 bits"),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
                "length of a frame is no varint of 64 bits",
            ),
            (&[2, 0xff, 0xff], "frame does not decode"),
            (&[0x80], "connection failed"),
            (&[5, 0], "connection failed"),
        ] {
            let mut stream = bytes;
            let err = block_on(fetch_frame::<Request>(&mut stream)).unwrap_err();
            assert_eq!(err.to_string(), expected, "{bytes:?}");
        }
        assert!(matches!(block_on(fetch_frame::<Request>(&mut &[][..])), Ok(None)));
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read(texts in prop::collection::vec(".{0,300}", 0..4)) {
            block_on(async {
                let mut wire = vec![];
                for text in &texts {
                    send_frame(&mut wire, &echo(text.clone())).await.unwrap();
                }
                let mut stream = wire.as_slice();
                for text in &texts {
                    assert_eq!(fetch_frame(&mut stream).await.unwrap(), Some(echo(text.clone())));
                }
                assert!(matches!(fetch_frame::<Request>(&mut stream).await, Ok(None)));
            });
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            block_on(async {
                let mut stream = bytes.as_slice();
                while let Ok(Some(_)) = fetch_frame::<Request>(&mut stream).await {}
            });
        }
    }
}
