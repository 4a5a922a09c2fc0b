//! Stands between an instance and a member of etcd, and swallows answers while it is told to: what was asked for takes
//! place, and nobody hears of it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Proxy {
    pub address: SocketAddr,
    swallows: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&swallows);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, upstream, Arc::clone(&flag)));
            }
        });
        Self { address, swallows, task }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn swallow_answers(&self, swallow: bool) {
        self.swallows.store(swallow, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, upstream: SocketAddr, swallows: Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let requests = async { copy(&mut from_client, &mut to_server).await.map(|_| ()) };
    let answers = async {
        let mut buffer = vec![0; 16 * 1024];
        // A stream with a hole is of no use any more, so that a connection which lost an answer stays mute.
        let mut mute = false;
        loop {
            let count = from_server.read(&mut buffer).await?;
            mute |= swallows.load(Ordering::SeqCst);
            match (count, mute) {
                (0, _) => return Ok::<(), std::io::Error>(()),
                // Once answers are let through again, the client is to come anew.
                (_, true) if !swallows.load(Ordering::SeqCst) => return Ok(()),
                (_, true) => {}
                (_, false) => to_client.write_all(&buffer[..count]).await?,
            }
        }
    };
    tokio::select! {
        _ = requests => {}
        _ = answers => {}
    }
}
