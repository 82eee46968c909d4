//! Writes the seeds of every fuzz target into a folder each: `fuzz_seeds <corpus>`.

use protocol_tests::fuzz::TARGETS;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let corpus = env::args().nth(1).ok_or_else(|| io::Error::other("usage: fuzz_seeds <corpus folder>"))?;
    for target in TARGETS {
        let folder = Path::new(&corpus).join(target.name);
        fs::create_dir_all(&folder)?;
        for (at, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{at}")), seed)?;
        }
    }
    Ok(())
}
