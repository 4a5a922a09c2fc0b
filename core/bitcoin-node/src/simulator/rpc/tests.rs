use super::*;
use crate::{
    bitcoind::{Bitcoind, BitcoindConfig},
    ports::{BlockSource, NodeErrorKind},
};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const METHODS: [&str; 19] = [
    "getblockchaininfo",
    "getnetworkinfo",
    "getmempoolinfo",
    "getblockcount",
    "getbestblockhash",
    "getblockhash",
    "getblockheader",
    "getblock",
    "getrawtransaction",
    "gettxout",
    "sendrawtransaction",
    "testmempoolaccept",
    "getrawmempool",
    "getmempoolentry",
    "estimatesmartfee",
    "generatetoaddress",
    "invalidateblock",
    "reconsiderblock",
    "nosuchmethod",
];

async fn server() -> (RpcServer, Credentials) {
    let credentials = Credentials::new("alice", "secret");
    let simulator = Arc::new(Simulator::new(Box::new(|| 1_700_000_000)));
    let server = RpcServer::start(simulator, ([127, 0, 0, 1], 0).into(), &credentials).await.unwrap();
    (server, credentials)
}

/// Posts a body as it is; returns the status and the answer.
async fn post(server: &RpcServer, authorization: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn only_the_right_credentials_are_let_in() {
    let (server, credentials) = server().await;
    let call = r#"{"method":"getblockcount","id":1}"#;
    for authorization in ["", "Basic", "Basic YWxpY2U6d3Jvbmc=", "Bearer secret"] {
        assert_eq!(post(&server, authorization, call).await, (401, Value::Null), "{authorization}");
    }
    assert_eq!(post(&server, &credentials.header(), call).await.0, 200);
    let wrong = Credentials::new("alice", "wrong").to_auth();
    let error =
        Bitcoind::new(BitcoindConfig::new(server.url(), wrong)).unwrap().fetch_tip().await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Misconfigured);
}

#[tokio::test]
async fn answers_follow_the_version_of_the_question() {
    let (server, credentials) = server().await;
    let missing = json!({"code": -32601, "message": "Method not found"});
    for (call, status, answer) in [
        (json!({"method": "getblockcount", "id": 1}), 200, json!({"result": 0, "error": null, "id": 1})),
        (
            json!({"jsonrpc": "2.0", "method": "getblockcount", "id": "a"}),
            200,
            json!({"jsonrpc": "2.0", "result": 0, "id": "a"}),
        ),
        (json!({"method": "nosuch", "id": 1}), 404, json!({"result": null, "error": missing, "id": 1})),
        (
            json!({"jsonrpc": "2.0", "method": "nosuch", "id": 1}),
            200,
            json!({"jsonrpc": "2.0", "error": missing, "id": 1}),
        ),
        (
            json!([{"method": "getblockcount", "id": 1}, {"jsonrpc": "2.0", "method": "nosuch", "id": 2}]),
            200,
            json!([
                {"result": 0, "error": null, "id": 1},
                {"jsonrpc": "2.0", "error": missing, "id": 2},
            ]),
        ),
        (json!([]), 200, json!([])),
    ] {
        let got = post(&server, &credentials.header(), &call.to_string()).await;
        assert_eq!(got, (status, answer), "{call}");
    }
    for body in ["", "hello", "{", "7", "{}", r#"{"method":7}"#, r#"{"method":"getblock","params":{"a":1}}"#]
    {
        let (status, answer) = post(&server, &credentials.header(), body).await;
        assert!(status >= 400 && answer["error"]["code"].as_i64().unwrap() < 0, "{body}: {answer}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named_with_bitcoin_cores_codes() {
    let (server, credentials) = server().await;
    let hash = "ab".repeat(32);
    for (method, params, code) in [
        ("getblockhash", json!([]), -1),
        ("getblockhash", json!(["1"]), -3),
        ("getblockhash", json!([-1]), -8),
        ("getblockhash", json!([1]), -8),
        ("getblock", json!(["zz"]), -8),
        ("getblock", json!([hash]), -5),
        ("getblock", json!([hash, "1"]), -3),
        ("getblockheader", json!([hash]), -5),
        ("getrawtransaction", json!([hash]), -5),
        ("getmempoolentry", json!([hash]), -5),
        ("gettxout", json!([hash]), -1),
        ("sendrawtransaction", json!(["zz"]), -22),
        ("sendrawtransaction", json!([""]), -22),
        ("sendrawtransaction", json!(["00", 0, "much"]), -22),
        ("testmempoolaccept", json!([[]]), -8),
        ("generatetoaddress", json!([1, "nobody"]), -5),
        ("generatetoaddress", json!([1, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]), -5),
        ("generatetoaddress", json!([1_000_000, "x"]), -8),
        ("invalidateblock", json!([hash]), -5),
        ("reconsiderblock", json!([hash]), -5),
    ] {
        let call = json!({"method": method, "params": params, "id": 1}).to_string();
        let (status, answer) = post(&server, &credentials.header(), &call).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (500, Some(code)), "{call}: {answer}");
    }
}

#[cfg(unix)]
#[test]
fn cookie_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".cookie");
    Credentials::cookie("00ff").write_cookie(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "__cookie__:00ff");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

fn argument() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..5).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f]{64}".prop_map(Value::from),
        "[0-9a-f]{0,200}".prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    /// Whatever it is asked, the server answers; it does not panic.
    #[test]
    fn no_argument_breaks_a_method(
        method in proptest::sample::select(&METHODS[..]),
        arguments in proptest::collection::vec(argument(), 0..4),
    ) {
        let simulator = Simulator::new(Box::new(|| 1_700_000_000));
        // Only the number of blocks is held down, to keep the test short.
        let mut arguments = arguments;
        if let (true, Some(first)) = (method == "generatetoaddress", arguments.first_mut()) {
            *first = json!(1);
        }
        let call = json!({"method": method, "params": arguments});
        let params = Params::of(&call).unwrap();
        let _ = methods::call(&mut simulator.lock(), method, &params);
    }
}
