//! gRPC as clients use it, with messages as raw bytes.

#![allow(clippy::result_large_err)] // tonic's status is large, and its traits want it as it is

use super::World;
use prost::{
    Message,
    bytes::{Buf, BufMut},
};
use tonic::{
    Request, Response, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}
impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}
impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

/// A client of the door, messages as raw bytes.
pub struct Client(tonic::client::Grpc<Channel>);

impl Client {
    /// To the node's gRPC port.
    pub async fn connect(world: &World) -> Self {
        let endpoint = Endpoint::from_shared(world.node.grpc_url()).unwrap();
        Self(tonic::client::Grpc::new(endpoint.connect().await.unwrap()))
    }

    /// Sends a call, metadata and all.
    pub async fn send(&mut self, path: &str, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Status> {
        self.0.ready().await.unwrap();
        self.0.unary(request, path.parse().unwrap(), Raw).await
    }

    /// Asks for the answer's bytes.
    pub async fn ask(&mut self, path: &str, request: &impl Message) -> Result<Vec<u8>, Status> {
        let answer = self.send(path, Request::new(request.encode_to_vec())).await;
        answer.map(Response::into_inner)
    }
}
