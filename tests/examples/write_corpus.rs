//! Writes the valid examples of every fuzz target where `cargo fuzz` looks for them: `fuzz/corpus/NAME/NUMBER`.

use btc_staking_tests::fuzz::TARGETS;
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in TARGETS {
        let folder = corpus.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(number.to_string()), seed)?;
        }
    }
    println!("{} targets in {}", TARGETS.len(), corpus.display());
    Ok(())
}
