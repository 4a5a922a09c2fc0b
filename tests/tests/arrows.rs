//! The arrows of the house plan: which crate may name which, held against cargo's own metadata.
//!
//! A new crate fails here until the table knows it, and so does a dependency that the table does not allow, whether
//! it is a normal, a build or a test dependency.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const PREFIX: &str = "btc-staking-";

/// What a crate may name inside the workspace. The order is that of the layers, L0 to L3.
const ARROWS: [(&str, May); 15] = [
    ("crypto", May::Name(&[])),
    ("protocol", May::Name(&["crypto"])),
    ("store", May::Name(&[])),
    ("daemon", May::Name(&[])),
    ("bitcoin-node", May::Name(&["protocol"])),
    ("pos-chain", May::Name(&["protocol"])),
    ("babylon", May::Name(&["protocol", "pos-chain"])),
    ("eots-manager", May::Name(&["crypto", "protocol", "store", "daemon"])),
    (
        "finality-provider",
        May::Name(&["protocol", "pos-chain", "eots-manager", "store", "daemon", "babylon"]),
    ),
    (
        "covenant",
        May::Name(&["crypto", "protocol", "pos-chain", "bitcoin-node", "store", "daemon", "babylon"]),
    ),
    (
        "slasher",
        May::Name(&["crypto", "protocol", "pos-chain", "bitcoin-node", "store", "daemon", "babylon"]),
    ),
    ("staker", May::Name(&["protocol", "pos-chain", "bitcoin-node", "store", "daemon", "babylon"])),
    ("devnet-chain", May::Name(&["crypto", "protocol", "babylon", "store", "daemon"])),
    ("devnet", May::NameAll),
    ("tests", May::NameAll),
];

/// Roles have the chain's adapter among their dependencies for their binaries; only these files may name it.
const ROLES: [&str; 4] = ["finality-provider", "covenant", "slasher", "staker"];
const ADAPTER: &str = "btc_staking_babylon";

/// The pure crates, and what must not be among their dependencies: no runtime, storage, logger, clock or randomness.
const PURE: [&str; 2] = ["crypto", "protocol"];
const IMPURE: [&str; 16] = [
    "async-trait",
    "axum",
    "chrono",
    "fastrand",
    "futures",
    "getrandom",
    "log",
    "rand",
    "reqwest",
    "rustix",
    "sled",
    "tempfile",
    "time",
    "tokio",
    "tracing",
    "tracing-subscriber",
];

#[derive(Clone, Copy)]
enum May {
    Name(&'static [&'static str]),
    NameAll,
}

/// A crate of the workspace: its folder and the packages it depends on, tests included.
struct Room {
    folder: PathBuf,
    dependencies: BTreeSet<String>,
}

type Rooms = BTreeMap<String, Room>;

#[test]
fn every_crate_names_only_what_the_table_allows() {
    assert_eq!(forbidden_arrows(&workspace()), Vec::<String>::new());
}

#[test]
fn every_crate_is_in_the_table_and_the_table_has_no_others() {
    let found: BTreeSet<String> = workspace().into_keys().collect();
    let listed: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed, "a new crate needs a row in the table and in ARCHITECTURE.md");
}

#[test]
fn the_table_has_no_cycle() {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<_> = ARROWS.to_vec();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|(name, may)| match may {
            May::Name(names) if names.iter().all(|name| known.contains(name)) => !known.insert(name),
            May::Name(_) => true,
            May::NameAll => false,
        });
        assert!(
            left.len() < before,
            "{:?} name each other",
            left.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_pure_crates_depend_on_nothing_impure() {
    let rooms = workspace();
    for name in PURE {
        let impure: Vec<_> =
            rooms[name].dependencies.iter().filter(|on| IMPURE.contains(&on.as_str())).collect();
        assert_eq!(impure, Vec::<&String>::new(), "{name} must stay pure");
    }
}

#[test]
fn roles_name_the_chains_adapter_only_in_their_binaries() {
    let rooms = workspace();
    for role in ROLES {
        let offenders = files_that_name_the_adapter(&rooms[role].folder);
        assert_eq!(
            offenders,
            Vec::<PathBuf>::new(),
            "the library of {role} must know the chain by its ports alone"
        );
    }
}

#[test]
fn a_forbidden_arrow_is_found() {
    let room = |dependencies: &[&str]| Room {
        folder: PathBuf::new(),
        dependencies: dependencies.iter().map(|name| format!("{PREFIX}{name}")).collect(),
    };
    let rooms = Rooms::from([
        ("crypto".to_owned(), room(&["store"])),
        ("staker".to_owned(), room(&["crypto", "protocol"])),
        ("devnet".to_owned(), room(&["staker", "slasher"])),
        ("cellar".to_owned(), room(&["crypto"])),
    ]);
    let expected = ["cellar names crypto", "crypto names store", "staker names crypto"];
    assert_eq!(forbidden_arrows(&rooms), expected);
}

#[test]
fn an_adapter_named_in_a_library_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let naming = "use btc_staking_babylon::Chain;";
    write("Cargo.toml", "");
    write("src/main.rs", naming);
    write("src/bin/other.rs", naming);
    write("nested/Cargo.toml", "");
    write("nested/src/lib.rs", naming);
    assert_eq!(files_that_name_the_adapter(dir.path()), Vec::<PathBuf>::new());
    write("src/service/main.rs", naming);
    write("tests/story.rs", naming);
    let expected = ["src/service/main.rs", "tests/story.rs"].map(|path| dir.path().join(path));
    assert_eq!(files_that_name_the_adapter(dir.path()), expected);
}

fn forbidden_arrows(rooms: &Rooms) -> Vec<String> {
    let mut forbidden = Vec::new();
    for (name, room) in rooms {
        let may = ARROWS.iter().find(|(row, _)| row == name).map_or(May::Name(&[]), |(_, may)| *may);
        for on in room.dependencies.iter().filter_map(|on| on.strip_prefix(PREFIX)) {
            let allowed = match may {
                May::NameAll => true,
                // A crate's tests may switch on features of the crate itself.
                May::Name(names) => names.contains(&on) || on == name,
            };
            if !allowed {
                forbidden.push(format!("{name} names {on}"));
            }
        }
    }
    forbidden
}

/// Source files of a package, binaries apart, that name the adapter. Packages nested in its folder have rows of
/// their own.
fn files_that_name_the_adapter(package: &Path) -> Vec<PathBuf> {
    let main = package.join("src/main.rs");
    let binaries = package.join("src/bin");
    let mut files = Vec::new();
    list_sources(package, &mut files);
    files.retain(|file| *file != main && !file.starts_with(&binaries));
    files.retain(|file| fs::read_to_string(file).unwrap().contains(ADAPTER));
    files.sort();
    files
}

fn list_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let nested =
            path.join("Cargo.toml").exists() || path.file_name().is_some_and(|name| name == "target");
        if path.is_dir() && !nested {
            list_sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The workspace as cargo sees it, by name without the common prefix.
fn workspace() -> Rooms {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(room).collect()
}

fn room(package: &Value) -> (String, Room) {
    let name = package["name"].as_str().unwrap();
    let name = name.strip_prefix(PREFIX).unwrap_or_else(|| panic!("{name} must start with {PREFIX}"));
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let dependencies = package["dependencies"].as_array().unwrap();
    let dependencies = dependencies.iter().map(|on| on["name"].as_str().unwrap().to_owned()).collect();
    (name.to_owned(), Room { folder: manifest.parent().unwrap().to_owned(), dependencies })
}
