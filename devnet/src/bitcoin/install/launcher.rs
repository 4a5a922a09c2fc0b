//! The launcher: runs the unpacked program with the libraries it came with.

use super::{InstallError, files};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the packages put the program.
const PROGRAM: &str = "usr/bin/bitcoind";
/// Folders with a folder of libraries per architecture; one is a link to the other where both exist on a system, but
/// unpacked packages may hold both.
const LIBRARY_PARENTS: [&str; 2] = ["usr/lib", "lib"];

/// Writes `home/bin/bitcoind` for what was unpacked in `home/root`.
pub(super) fn write(home: &Path) -> Result<(), InstallError> {
    let root = home.join("root");
    if !root.join(PROGRAM).is_file() {
        return Err(InstallError::Incomplete { missing: PROGRAM });
    }
    let folders = library_folders(&root);
    let loader = folders
        .iter()
        .find_map(|folder| find_loader(&root.join(folder)).map(|name| folder.join(name)))
        .ok_or(InstallError::Incomplete { missing: "dynamic loader" })?;
    let bin = home.join("bin");
    fs::create_dir_all(&bin).map_err(files("creating", &bin))?;
    let path = bin.join("bitcoind");
    fs::write(&path, script(&loader, &folders)).map_err(files("writing", &path))?;
    make_executable(&path)
}

/// Returns the first line of `exe -version`.
pub(super) fn ask_version(exe: &Path) -> Result<String, InstallError> {
    let answer = Command::new(exe).arg("-version").stdin(Stdio::null()).output();
    let output = answer.map_err(|error| InstallError::DoesNotRun { answer: error.to_string() })?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().filter(|_| output.status.success()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(InstallError::DoesNotRun {
            answer: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

/// The script names everything relative to itself, so the folder can be moved.
fn script(loader: &Path, folders: &[PathBuf]) -> String {
    let libraries: Vec<String> = folders.iter().map(|folder| format!("$root/{}", folder.display())).collect();
    format!(
        "#!/bin/sh\n\
         # Runs the unpacked bitcoind with the libraries it came with, through their own loader.\n\
         root=$(dirname \"$(readlink -f \"$0\")\")/../root\n\
         exec \"$root/{}\" --library-path \"{}\" \"$root/{PROGRAM}\" \"$@\"\n",
        loader.display(),
        libraries.join(":"),
    )
}

/// The folders that hold libraries of the machine's architecture, relative to `root`.
fn library_folders(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in LIBRARY_PARENTS {
        let Ok(entries) = fs::read_dir(root.join(parent)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            if name.to_string_lossy().contains("-linux-") && entry.path().is_dir() {
                found.push(Path::new(parent).join(name));
            }
        }
    }
    found.sort();
    found
}

/// The dynamic loader in a folder.
fn find_loader(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with("ld-linux")).map(PathBuf::from).min()
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), InstallError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(files("making executable", path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), InstallError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launcher_starts_the_program_through_its_own_loader_from_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("be fore");
        let libraries = home.join("root/usr/lib/some-linux-gnu");
        fs::create_dir_all(&libraries).unwrap();
        fs::create_dir_all(home.join("root/usr/bin")).unwrap();
        fs::write(home.join("root").join(PROGRAM), "").unwrap();
        assert!(matches!(write(&home), Err(InstallError::Incomplete { missing: "dynamic loader" })));
        // A loader that only says what it is asked for.
        let loader = libraries.join("ld-linux-test.so.1");
        fs::write(&loader, "#!/bin/sh\necho \"$1 $3 $4\"\n").unwrap();
        make_executable(&loader).unwrap();
        write(&home).unwrap();
        let moved = folder.path().join("af ter");
        fs::rename(&home, &moved).unwrap();
        let said = ask_version(&moved.join("bin/bitcoind")).unwrap();
        assert!(said.starts_with("--library-path "), "{said}");
        assert!(said.ends_with("/root/usr/bin/bitcoind -version"), "{said}");
    }
}
