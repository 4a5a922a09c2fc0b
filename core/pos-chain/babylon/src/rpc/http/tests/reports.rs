//! What is told about every node, for people.

use super::*;
use crate::rpc::server::Reply;

#[tokio::test]
async fn every_node_is_told_with_what_is_wrong_with_it() {
    let good = Server::serve(|call| {
        let mut answer = status("c", 12);
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = call["id"].clone();
        answer["result"]["sync_info"]["latest_block_time"] = json!("1994-11-06T08:49:30.5Z");
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Reply::Raw((head + &body).into_bytes())
    })
    .await;
    let foreign = Server::answer(|_| status("d", 9)).await;
    let urls = [good.url.clone(), foreign.url.clone(), "http://me:secret@127.0.0.1:1".to_owned()];
    let rpc = HttpRpc::new(&urls, Duration::from_secs(5)).unwrap().for_network("c");
    let reports = rpc.node_reports().await;
    let [first, second, third] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((first.trouble.as_deref(), format!("http://{}", first.name)), (None, good.url.clone()));
    let told = first.told.as_ref().unwrap();
    assert_eq!((told.chain_id.as_str(), told.height.to_u64(), told.catching_up), ("c", 12, false));
    assert_eq!((told.block_time, told.clock), (Some(784_111_770), Some(784_111_777)));
    assert!(told.has_tx_index);
    assert_eq!(second.trouble.as_deref(), Some("node is on chain \"d\", not on \"c\""));
    assert_eq!(second.told.as_ref().unwrap().height.to_u64(), 9);
    assert!(third.told.is_none() && third.trouble.as_ref().unwrap().starts_with("no answer"), "{third:?}");
    assert_eq!(third.name, "127.0.0.1:1");
}
