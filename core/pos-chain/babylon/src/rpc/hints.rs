//! Word of new blocks over a node's WebSocket: a hint to look sooner, and never more than that (`wire.md` 6.5).
//!
//! Nothing is learned from a message but that it came. Whoever waits for hints also polls, so a node that says nothing
//! costs time and one that says too much costs a look now and then: hints come at most ten times a second. A connection
//! that ends is itself a hint, since something may have been missed, and is made again, at the next node.

use async_trait::async_trait;
use async_tungstenite::{
    tokio::connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use btc_staking_pos_chain::event::Hints;
use futures::{SinkExt, StreamExt};
use reqwest::Url;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle};

/// Headers of blocks are small; a message beyond this ends the connection.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Longest wait for a connection and for the subscription.
const CONNECT: Duration = Duration::from_secs(10);
/// A node that says nothing for so long, not even a ping, is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// Waits between connections: doubled while nothing comes of them.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(60);
/// Least time between two messages of any kind, and so between two hints: a flood is left to the network.
const GAP: Duration = Duration::from_millis(100);

/// Listens to one node after the other as long as it lives.
pub(super) struct Listener {
    count: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Starts listening; must be called within the runtime.
    pub(super) fn start(nodes: Vec<(String, Url)>) -> Self {
        let (tell, count) = watch::channel(0);
        Self { count, task: tokio::spawn(listen(nodes, tell)) }
    }

    /// Hints from now on.
    pub(super) fn hints(&self) -> BlockHints {
        let mut count = self.count.clone();
        count.mark_unchanged();
        BlockHints(count)
    }
}

/// Hints for one that waits.
pub(super) struct BlockHints(watch::Receiver<u64>);

#[async_trait]
impl Hints for BlockHints {
    async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The listener is gone, and with it every hint.
            std::future::pending::<()>().await;
        }
    }
}

async fn listen(nodes: Vec<(String, Url)>, tell: watch::Sender<u64>) {
    let mut wait = FIRST_WAIT;
    for (name, url) in nodes.iter().cycle() {
        let before = *tell.borrow();
        let ended = hear(url, &tell).await;
        tracing::debug!(endpoint = name, %ended, "no more hints from this endpoint");
        let has_heard = *tell.borrow() != before;
        wait = if has_heard { FIRST_WAIT } else { wait.saturating_mul(2).min(LAST_WAIT) };
        if has_heard {
            // Something may have been missed since the last message.
            tell.send_modify(|count| *count = count.wrapping_add(1));
        }
        tokio::time::sleep(wait).await;
    }
}

/// Passes on what one connection says until it ends; returns why it ended.
async fn hear(url: &Url, tell: &watch::Sender<u64>) -> String {
    let config = WebSocketConfig {
        max_message_size: Some(MAX_MESSAGE),
        max_frame_size: Some(MAX_MESSAGE),
        ..WebSocketConfig::default()
    };
    let subscribe = json!({
        "jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"query": "tm.event='NewBlockHeader'"},
    });
    let connect = async {
        let (mut socket, _) = connect_async_with_config(url.as_str(), Some(config)).await?;
        socket.send(Message::Text(subscribe.to_string())).await?;
        Ok::<_, async_tungstenite::tungstenite::Error>(socket)
    };
    let mut socket = match tokio::time::timeout(CONNECT, connect).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return "not connected in time".to_owned(),
    };
    loop {
        let text = match tokio::time::timeout(SILENCE, socket.next()).await {
            Err(_) => return "silent".to_owned(),
            Ok(None) => return "closed".to_owned(),
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(Some(Ok(Message::Text(text)))) => text,
            // Answering pings is the library's business.
            Ok(Some(Ok(_))) => {
                tokio::time::sleep(GAP).await;
                continue;
            }
        };
        match understand(&text) {
            Heard::Block => {
                tell.send_modify(|count| *count = count.wrapping_add(1));
            }
            Heard::Nothing => {}
            Heard::Refusal(why) => return why,
        }
        tokio::time::sleep(GAP).await;
    }
}

enum Heard {
    Block,
    Nothing,
    Refusal(String),
}

#[derive(Deserialize)]
struct Envelope {
    result: Option<Notice>,
    error: Option<Value>,
}
/// The answer to the subscription has no data.
#[derive(Deserialize)]
struct Notice {
    data: Option<IgnoredAny>,
}

fn understand(text: &str) -> Heard {
    match serde_json::from_str(text) {
        Err(error) => Heard::Refusal(format!("malformed message: {error}")),
        Ok(Envelope { error: Some(error), .. }) => Heard::Refusal(error.to_string()),
        Ok(Envelope { result: Some(Notice { data: Some(_) }), .. }) => Heard::Block,
        Ok(Envelope { .. }) => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_tungstenite::{
        WebSocketStream,
        tokio::{TokioAdapter, accept_async},
    };
    use std::time::Instant;
    use tokio::net::{TcpListener, TcpStream};

    fn notice() -> Message {
        let header = json!({"type": "tendermint/event/NewBlockHeader", "value": {"header": {"height": "5"}}});
        Message::Text(json!({"jsonrpc": "2.0", "id": 1, "result": {"query": "", "data": header}}).to_string())
    }

    /// A node, and who listens to it.
    async fn listened_to() -> (TcpListener, Listener) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("ws://{}/websocket", server.local_addr().unwrap()).parse().unwrap();
        (server, Listener::start(vec![("node".into(), url)]))
    }

    async fn accept(server: &TcpListener) -> WebSocketStream<TokioAdapter<TcpStream>> {
        let (stream, _) = server.accept().await.unwrap();
        accept_async(stream).await.unwrap()
    }

    async fn hinted(hints: &mut BlockHints) {
        tokio::time::timeout(Duration::from_secs(30), hints.next()).await.expect("no hint came");
    }

    #[tokio::test]
    async fn a_block_is_a_hint_and_so_is_the_end_of_a_connection() {
        let (server, listener) = listened_to().await;
        let mut hints = listener.hints();
        let mut socket = accept(&server).await;
        let subscribed = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(subscribed.contains("NewBlockHeader"), "{subscribed}");
        socket.send(Message::Text(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into())).await.unwrap();
        socket.send(notice()).await.unwrap();
        hinted(&mut hints).await;
        drop(socket);
        hinted(&mut hints).await;
        // It comes back, and hears again.
        let mut socket = accept(&server).await;
        socket.send(notice()).await.unwrap();
        hinted(&mut hints).await;
    }

    #[tokio::test]
    async fn a_flood_of_messages_is_heard_one_by_one_with_a_gap_between_them() {
        const HEARD: u32 = 4;
        let (server, listener) = listened_to().await;
        let mut hints = listener.hints();
        let mut socket = accept(&server).await;
        let begun = Instant::now();
        for _ in 0..50 {
            socket.feed(notice()).await.unwrap();
            socket.feed(Message::Ping(vec![])).await.unwrap();
        }
        socket.flush().await.unwrap();
        for _ in 0..HEARD {
            hinted(&mut hints).await;
        }
        // Between two notices lies the gap behind the first and the gap behind the ping.
        assert!(begun.elapsed() >= 2 * GAP * (HEARD - 1), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_message_beyond_the_bound_ends_the_connection() {
        let (server, listener) = listened_to().await;
        let mut socket = accept(&server).await;
        let sent = socket.send(Message::Text(" ".repeat(100 * MAX_MESSAGE))).await;
        // Either writing fails or reading tells that the other side is gone.
        let gone = sent.is_err()
            || matches!(
                tokio::time::timeout(Duration::from_secs(30), async {
                    loop {
                        match socket.next().await {
                            Some(Ok(_)) => {}
                            other => break other,
                        }
                    }
                })
                .await,
                Ok(None | Some(Err(_)))
            );
        assert!(gone);
        drop(listener);
    }

    #[test]
    fn what_is_no_notice_is_no_hint() {
        assert!(matches!(understand(r#"{"result":{}}"#), Heard::Nothing));
        assert!(matches!(understand(r#"{"result":{"data":{"a":1}}}"#), Heard::Block));
        assert!(matches!(understand(r#"{"error":{"code":-1}}"#), Heard::Refusal(_)));
        assert!(matches!(understand("nonsense"), Heard::Refusal(_)));
    }
}
