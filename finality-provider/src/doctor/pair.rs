//! The etcd cluster of a pair, member by member.

use super::Finding;
use crate::standby::{
    engine::{Op, Txn},
    options::Ha,
};

/// Asks every member alone for a read that needs a quorum, and judges what answered.
pub async fn examine_pair(ha: &Ha) -> Vec<Finding> {
    let mut troubles = Vec::new();
    for endpoint in &ha.endpoints {
        let alone = Ha { endpoints: vec![endpoint.clone()], ..ha.clone() };
        let answer = match alone.plan() {
            Ok(plan) => {
                let read = Txn::read(vec![Op::get(&format!("{}/doctor", ha.prefix))]);
                plan.engine.commit(read).await.map(drop).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        troubles.extend(answer.err().map(|trouble| (endpoint.clone(), trouble)));
    }
    judge_pair(ha.endpoints.len(), &troubles)
}

/// Judges a cluster by the members that did not answer.
pub fn judge_pair(members: usize, troubles: &[(String, String)]) -> Vec<Finding> {
    let answered = members.saturating_sub(troubles.len());
    let summary = format!("{answered} of {members} members of the etcd cluster answer");
    let mut findings = vec![match answered {
        0 => Finding::failure(
            "pair",
            summary,
            "nothing is signed without a quorum: start the members, mend the network",
        ),
        _ if members < 3 => {
            Finding::warning("pair", summary, "use three members: fewer stop with the first that fails")
        }
        _ => Finding::ok("pair", summary),
    }];
    findings.extend(troubles.iter().map(|(endpoint, trouble)| {
        let mend = "start it; until then the next failure may cost the quorum";
        Finding::warning("pair", format!("{endpoint}: {trouble}"), mend)
    }));
    findings
}
