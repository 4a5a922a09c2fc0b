//! `eots hand-over` and `take-back`: a key moves to another host, and perhaps back, so that at no moment two can sign.
//!
//! Handing over bars this host first, durably, and only then writes the file with which the other may begin. A host that
//! is started by mistake afterwards refuses every new height.

use super::{open_records, transfer};
use crate::{cli::records_failure, config::Config};
use btc_staking_daemon::cli::{Exit, FailWith, Failure, Output};
use btc_staking_eots_manager::{
    interchange::Interchange,
    records::{SignRecords, Subject},
};
use btc_staking_protocol::{height::PosHeight, keys::FinalityProviderPublicKey};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct HandOver {
    /// The key, x-only, in hex.
    #[arg(long)]
    key: FinalityProviderPublicKey,
    /// New file for the other host to import.
    #[arg(long)]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub struct TakeBack {
    /// What the other host wrote with its own `hand-over`.
    #[arg(long)]
    from: PathBuf,
    /// The other host was never started with the key.
    #[arg(long)]
    signed_nothing: bool,
}

/// Bars every height above what was signed, then writes what the other host needs to know.
pub fn hand_over(over: &HandOver, config: &Config, output: Output) -> Result<(), Failure> {
    let chain_id = config.only_chain().fail_with(Exit::Usage)?.id;
    let subject = Subject { finality_provider: over.key, chain_id };
    let records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    let highest = records.highest(&subject).unwrap_or(PosHeight::new(0));
    records.record_high_watermark(&subject, highest).fail_with(Exit::Refused)?;
    transfer::write(&Interchange::export(&records, &subject)?, &over.to, output)
}

/// Takes in what the other host signed, then lets this one sign above it again.
pub fn take_back(back: &TakeBack, config: &Config, output: Output) -> Result<(), Failure> {
    let file = transfer::read(&back.from)?;
    let records = open_records(&config.data_dir)?;
    let before = records.highest(file.subject());
    let high = file.watermarks().map(|marks| marks.high);
    // Such a file was written before the key left, perhaps by this very host: the other may have signed since.
    if high < before || (high == before && !back.signed_nothing) {
        let why = "the file tells of nothing above these sign records: take the one that the other host wrote as it handed \
                   the key over, or say --signed-nothing if that host was never started with the key";
        return Err(Failure::new(Exit::Refused, why));
    }
    file.import(&records).fail_with(Exit::Refused)?;
    records
        .lift_high_watermark(file.subject(), high.unwrap_or(PosHeight::new(0)))
        .fail_with(Exit::Refused)?;
    transfer::print(&file, &back.from, output);
    Ok(())
}
