//! The board as people read it: 80 columns, one block for each provider, one for each chain.

use super::{ChainStatus, NodeStatus, ProviderStatus, Report, Standing};
use btc_staking_protocol::height::PosHeight;
use std::fmt;

const WIDTH: usize = 80;
/// Where values begin.
const INDENT: usize = 14;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, provider) in self.providers.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write_provider(f, self, provider)?;
        }
        for chain in self.chains.iter().filter(|chain| chain.is_surveyed()) {
            writeln!(f)?;
            write_chain(f, chain)?;
        }
        Ok(())
    }
}

impl ChainStatus {
    fn is_surveyed(&self) -> bool {
        !self.account.is_empty()
    }
}

fn write_provider(f: &mut fmt::Formatter<'_>, report: &Report, provider: &ProviderStatus) -> fmt::Result {
    writeln!(f, "finality provider")?;
    writeln!(f, "  {}", provider.finality_provider)?;
    line(f, "chain", &format!("{}, height {}", provider.chain_id, height(provider.chain_height)))?;
    match &provider.reason {
        None => line(f, "voting", "yes")?,
        Some(reason) => line(f, "voting", &format!("NO: {reason}"))?,
    }
    if let Some(hold) = &provider.unjailing {
        line(f, "jail", hold)?;
    }
    line(f, "last vote", &last_vote(report, provider))?;
    let waiting = match provider.queued_heights {
        0 => "nothing waiting".to_owned(),
        1 => "1 height waiting".to_owned(),
        many => format!("{many} heights waiting"),
    };
    line(f, "settled", &format!("below {}, {waiting}", height(provider.settled_below)))?;
    if let Some(reason) =
        provider.waiting_for.as_ref().filter(|waits| Some(*waits) != provider.reason.as_ref())
    {
        line(f, "waiting for", reason)?;
    }
    if let Some(given_up) = provider.given_up_height {
        line(f, "given up", &format!("height {}", given_up.to_u64()))?;
    }
    line(f, "randomness", &randomness(report, provider))?;
    if provider.committed_until.is_some()
        && provider.randomness_runway.unwrap_or(0) < provider.randomness_needed.unwrap_or(0)
    {
        line(f, "", "TOO SHORT: a commitment made only now is likely to come too late")?;
    }
    if let Some(obstacle) = &provider.randomness_obstacle {
        line(f, "", obstacle)?;
    }
    line(f, "presence", &presence(report, provider))
}

fn last_vote(report: &Report, provider: &ProviderStatus) -> String {
    match (provider.last_voted_height, provider.last_vote_at) {
        (None, None) => "none".to_owned(),
        (height_voted, None) => format!("at {}", height(height_voted)),
        (height_voted, Some(at)) => {
            format!("at {}, {} ago", height(height_voted), age(report.at.saturating_sub(at)))
        }
    }
}

fn randomness(report: &Report, provider: &ProviderStatus) -> String {
    let Some(until) = provider.committed_until else { return "none committed".to_owned() };
    let runway = provider.randomness_runway.unwrap_or(0);
    let hours = report.chain_of(provider).and_then(|chain| chain.hours(runway));
    let hours = hours.map_or(String::new(), |hours| format!(" ({hours:.1} h)"));
    let usable = match provider.usable_until {
        Some(usable) if usable == until => ", all usable".to_owned(),
        Some(usable) => format!(", usable to {}", usable.to_u64()),
        None => String::new(),
    };
    format!("to {}, {runway} blocks{hours} ahead{usable}", until.to_u64())
}

fn presence(report: &Report, provider: &ProviderStatus) -> String {
    let standing = match provider.standing {
        Standing::Unknown => return "not known yet".to_owned(),
        Standing::NotRegistered => return "not registered".to_owned(),
        Standing::Slashed => return "slashed for good".to_owned(),
        Standing::Registered => "registered, never active",
        Standing::Active => "active",
        Standing::Inactive => "inactive",
        Standing::Jailed => "jailed",
    };
    let Some(presence) = provider.presence else { return standing.to_owned() };
    if provider.standing == Standing::Jailed {
        let rest = presence.jailed_until.map(|until| until.saturating_sub(report.at));
        return match rest {
            Some(0) => "jailed, may be unjailed now".to_owned(),
            Some(rest) => format!("jailed, may be unjailed in {}", age(rest)),
            None => standing.to_owned(),
        };
    }
    format!(
        "{standing}, missed {} of {} blocks, {} more before jail",
        presence.missed,
        presence.window,
        presence.left()
    )
}

fn write_chain(f: &mut fmt::Formatter<'_>, chain: &ChainStatus) -> fmt::Result {
    let pace = chain.block_seconds.map_or(String::new(), |seconds| format!(", {seconds:.1} s a block"));
    writeln!(f, "chain {}", chain.chain_id)?;
    line(f, "height", &format!("{}{pace}", height(chain.height)))?;
    line(f, "account", &chain.account)?;
    let balance =
        chain.balance.map_or("not known".to_owned(), |balance| format!("{balance} {}", chain.denom));
    let affordable =
        chain.commitments_affordable.map_or(String::new(), |count| format!(", about {count} commitments"));
    line(f, "balance", &format!("{balance}{affordable}"))?;
    let (usable, all) = (chain.usable_nodes(), chain.nodes.len());
    line(f, "nodes", &format!("{usable} of {all} usable, {} must agree", chain.nodes_required))?;
    chain.nodes.iter().try_for_each(|node| line(f, "", &format!("{}  {}", node.name, state_of(node))))
}

fn state_of(node: &NodeStatus) -> String {
    match (&node.trouble, node.height, node.lag) {
        (Some(trouble), ..) => trouble.clone(),
        (None, at, Some(0) | None) => format!("height {}", height(at)),
        (None, at, Some(lag)) => format!("height {}, {lag} behind", height(at)),
    }
}

fn height(height: Option<PosHeight>) -> String {
    height.map_or("-".to_owned(), |height| height.to_u64().to_string())
}

/// A time span in its largest sensible unit.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Writes a value behind its name, wrapped at words.
fn line(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    let mut name = name;
    for part in wrap(value, WIDTH - INDENT) {
        writeln!(f, "  {name:<width$}{part}", width = INDENT - 2)?;
        name = "";
    }
    Ok(())
}

/// Cuts a text between words into lines of at most `width` characters; a longer word stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Presence, testing::report};

    #[test]
    fn a_report_reads_at_a_glance() {
        let mut report = report();
        let text = report.to_string();
        assert_eq!(text, include_str!("text/voting.txt"));
        let provider = &mut report.providers[0];
        provider.voting = false;
        provider.reason = Some(
            "the vote for height 1234567 did not get through yet: the account sequence is behind what the node expects"
                .to_owned(),
        );
        provider.waiting_for = provider.reason.clone();
        provider.queued_heights = 3;
        provider.randomness_runway = Some(8_000);
        provider.given_up_height = Some(PosHeight::new(1_234_000));
        provider.standing = Standing::Jailed;
        provider.presence =
            Some(Presence { jailed_until: Some(report.at + 200), ..provider.presence.unwrap() });
        provider.randomness_obstacle = Some(
            "the last randomness commitment was refused: insufficient funds: 5ubbn is smaller than 80ubbn"
                .to_owned(),
        );
        report.chains[0].nodes[1].trouble = Some("no answer: Connection refused (os error 111)".to_owned());
        assert_eq!(report.to_string(), include_str!("text/not_voting.txt"));
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_unless_a_word_is() {
        for line in report().to_string().lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaa b", 5), ["aaaaaaa", "b"]);
    }
}
