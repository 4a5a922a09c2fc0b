//! The programs a devnet runs, and how: by executing itself with `role NAME ARGS`, or installed ones from a folder
//! (`docs/adr/0003-roles-by-wiring.md`).

use crate::processes::Invocation;
use btc_staking_babylon::connector::BabylonConnector;
use clap::ValueEnum;
use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// A program of this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// The committee member's daemon.
    Covenant,
    /// The voting daemon.
    FinalityProvider,
    /// The watchtower.
    Slasher,
    /// The holder's command line.
    Staker,
}

/// Where the programs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programs {
    /// This executable, which contains them all.
    Own(PathBuf),
    /// Installed ones in this folder.
    Installed(PathBuf),
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Covenant, Role::FinalityProvider, Role::Slasher, Role::Staker];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Covenant => "covenant",
            Role::FinalityProvider => "finality-provider",
            Role::Slasher => "slasher",
            Role::Staker => "staker",
        }
    }

    /// Runs the program in this process; `args` come after its name.
    pub fn run(self, args: impl IntoIterator<Item = OsString>) -> ExitCode {
        let args = std::iter::once(OsString::from(self.name())).chain(args);
        let connector = Arc::new(BabylonConnector);
        match self {
            Role::Covenant => btc_staking_covenant::cli::main_with(args, connector),
            Role::FinalityProvider => btc_staking_finality_provider::cli::main_with(args, connector),
            Role::Slasher => btc_staking_slasher::cli::main_with(args, connector),
            Role::Staker => btc_staking_staker::main_with(args, connector),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Programs {
    /// The programs in `bin_dir`, or those in this executable.
    ///
    /// # Errors
    /// When this executable cannot be found, or a program is missing in `bin_dir`.
    pub fn new(bin_dir: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = bin_dir else {
            return std::env::current_exe().map(Self::Own);
        };
        let missing = Role::ALL.iter().find(|role| !folder.join(role.name()).is_file());
        match missing {
            None => Ok(Self::Installed(folder.to_owned())),
            Some(role) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} has no program {role}: build it or choose another --bin-dir", folder.display()),
            )),
        }
    }

    /// How to start a program with arguments.
    pub fn invocation(&self, role: Role, args: impl IntoIterator<Item = OsString>) -> Invocation {
        match self {
            Self::Own(exe) => {
                let own = [OsString::from("role"), role.name().into()];
                Invocation { program: exe.clone(), args: own.into_iter().chain(args).collect() }
            }
            Self::Installed(folder) => {
                Invocation { program: folder.join(role.name()), args: args.into_iter().collect() }
            }
        }
    }
}
