//! Small loopback servers for tests: nodes that answer what a node would, and nodes that do their worst.

use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a server does with a call.
pub(crate) enum Reply {
    /// Answers in JSON-RPC: `{"result": ...}` or `{"error": ...}`.
    Json(Value),
    /// Sends these bytes instead of an HTTP answer, then closes.
    Raw(Vec<u8>),
    /// Sends an answer with this body.
    Body(Vec<u8>),
    /// Announces so many bytes and sends them.
    Large(u64),
    /// Sends pieces without end and without announcing a length.
    Endless,
    /// Sends a head, then a byte now and then, without end.
    Trickle,
    /// Takes the call and says nothing.
    Silence,
}

type Answer = Arc<dyn Fn(&Value) -> Reply + Send + Sync>;

/// A node; it ends with the test.
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) calls: Arc<Mutex<Vec<Value>>>,
    /// Bytes of bodies handed to the network so far.
    pub(crate) sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    pub(crate) async fn serve(answer: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let (seen, counter) = (Arc::clone(&calls), Arc::clone(&sent));
        let answer: Answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen, counter) = (Arc::clone(&answer), Arc::clone(&seen), Arc::clone(&counter));
                connections.spawn(async move { serve_one(stream, &answer, &seen, &counter).await });
            }
        });
        Self { url, calls, sent, task }
    }

    /// A node that answers in JSON-RPC.
    pub(crate) async fn answer(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::serve(move |call| Reply::Json(answer(call))).await
    }

    /// Methods called so far.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call["method"].as_str().unwrap().to_owned()).collect()
    }

    /// How often a method was called.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.methods().iter().filter(|called| *called == method).count()
    }
}

/// The answer to `status`.
pub(crate) fn status(network: &str, height: u64) -> Value {
    json!({"result": {
        "node_info": {"network": network, "other": {"tx_index": "on"}},
        "sync_info": {
            "latest_block_height": height.to_string(),
            "latest_block_hash": format!("{height:064X}"),
            "catching_up": false,
        },
        "validator_info": {"pub_key": {"type": "unknown/kind"}},
    }})
}

/// The answer to `abci_query` with these bytes as of a height.
pub(crate) fn query(value: &[u8], height: u64) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({"result": {"response": {
        "code": 0, "log": "", "index": "0", "key": null, "value": STANDARD.encode(value), "proofOps": null,
        "height": height.to_string(), "codespace": "",
    }}})
}

/// An error of the node.
pub(crate) fn error(data: &str) -> Value {
    json!({"error": {"code": -32603, "message": "Internal error", "data": data}})
}

async fn serve_one(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<Value>>, sent: &AtomicU64) {
    let Some(call) = read_call(&mut stream).await else { return };
    let reply = answer(&call);
    seen.lock().unwrap().push(call.clone());
    // The client may hang up at any time; then there is nothing left to do.
    let _ = write_reply(&mut stream, reply, &call, sent).await;
}

async fn read_call(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let body = bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|end| &bytes[end + 4..]);
        if let Some(call) = body.and_then(|body| serde_json::from_slice(body).ok()) {
            return Some(call);
        }
    }
}

async fn write_reply(
    stream: &mut TcpStream,
    reply: Reply,
    call: &Value,
    sent: &AtomicU64,
) -> std::io::Result<()> {
    let piece = vec![b' '; 64 * 1024];
    match reply {
        Reply::Json(mut reply) => {
            reply["jsonrpc"] = json!("2.0");
            reply["id"] = call["id"].clone();
            send_body(stream, reply.to_string().as_bytes(), sent).await
        }
        Reply::Body(body) => send_body(stream, &body, sent).await,
        Reply::Raw(bytes) => stream.write_all(&bytes).await,
        Reply::Large(length) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut left = length;
            while left > 0 {
                stream.write_all(&piece).await?;
                sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
                left = left.saturating_sub(piece.len() as u64);
            }
            Ok(())
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            loop {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                stream.write_all(&piece).await?;
                stream.write_all(b"\r\n").await?;
                sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        }
        Reply::Trickle => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
            loop {
                tick.tick().await;
                stream.write_all(b"1\r\n \r\n").await?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        Reply::Silence => std::future::pending().await,
    }
}

async fn send_body(stream: &mut TcpStream, body: &[u8], sent: &AtomicU64) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    sent.fetch_add(body.len() as u64, Ordering::Relaxed);
    Ok(())
}
