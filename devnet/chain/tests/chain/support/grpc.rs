//! gRPC as clients use it, with messages as raw bytes.

#![allow(clippy::result_large_err)] // tonic's status is large, and its traits want it as it is

use super::World;
use btc_staking_daemon::grpc::RawCodec;
use prost::Message;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint},
};

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
        self.0.unary(request, path.parse().unwrap(), RawCodec).await
    }

    /// Asks for the answer's bytes.
    pub async fn ask(&mut self, path: &str, request: &impl Message) -> Result<Vec<u8>, Status> {
        let answer = self.send(path, Request::new(request.encode_to_vec())).await;
        answer.map(Response::into_inner)
    }
}
