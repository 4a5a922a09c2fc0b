//! The embedded chain, in this process.

use super::{Founder, Founding, StakingChain};
use async_trait::async_trait;
use btc_staking_daemon::cli::Failure;
use btc_staking_devnet_chain::{Node, NodeConfig, RunningNode};
use futures::{FutureExt as _, future::BoxFuture};

/// Founds the embedded chain.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

struct EmbeddedChain(RunningNode);

#[async_trait]
impl Founder for Embedded {
    async fn found(&self, founding: Founding) -> Result<Box<dyn StakingChain>, Failure> {
        let mut config = NodeConfig::new(founding.genesis, founding.home);
        config.block_time = founding.block_time;
        Ok(Box::new(EmbeddedChain(Node::start(config).await?)))
    }
}

#[async_trait]
impl StakingChain for EmbeddedChain {
    fn describe(&self) -> String {
        "embedded".to_owned()
    }

    fn rpc(&self) -> Vec<String> {
        vec![format!("http://{}", self.0.rpc_addr())]
    }

    fn ended(&self) -> BoxFuture<'static, String> {
        let mut halted = self.0.halted();
        async move {
            match halted.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(broken)) => format!("the staking chain stopped: {broken}"),
                Ok(None) | Err(_) => "the staking chain stopped".to_owned(),
            }
        }
        .boxed()
    }

    async fn stop(self: Box<Self>) {
        self.0.stop().await;
    }
}
