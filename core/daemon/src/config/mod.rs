//! Configuration in layers: file < environment < flags. Unknown keys are refused.
//!
//! | layer | key `bitcoin.rpc_url` of a program with prefix `SLASHER` |
//! |---|---|
//! | TOML file | `[bitcoin]` and `rpc_url = "..."` |
//! | environment | `SLASHER_BITCOIN__RPC_URL=...` |
//! | flags | whatever the command line calls it; the caller puts it into a table with [`set_flag`] |
//!
//! Text from the environment is read as what the key's type wants, so `SLASHER_PORT=8080` is a number where a number
//! is wanted and text where text is; lists are separated by commas or written as in TOML.
//!
//! The configuration type needs `#[serde(deny_unknown_fields)]` on every struct, since only serde knows the allowed
//! keys; [`lenient_tables`] finds the ones without it and belongs in a test beside each configuration type.

mod value;

use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};
use thiserror::Error;
use toml::{Table, Value};
use value::Node;

/// Longest configuration file read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Collects the layers of a configuration.
#[derive(Debug)]
pub struct Loader {
    prefix: String,
    file: Option<(PathBuf, Missing)>,
    environment: Vec<(String, String)>,
    reserved: Vec<String>,
    flags: Table,
}

/// What a missing file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refused,
    Empty,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag,
    /// No layer has the key, or it is not about one key.
    Nowhere,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("configuration file {} is not valid TOML, line {line}: {reason}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What does not parse.
        reason: String,
    },
    /// A key is unknown, missing or has a value that does not fit.
    #[error("configuration{}{origin}: {reason}", in_key(.key))]
    Invalid {
        /// The key, with dots between its parts; empty for the whole.
        key: String,
        /// Where it comes from.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// An environment variable contradicts another layer's or variable's sections.
    #[error(
        "environment variable {variable} sets a section as if it were a value, or a value as if it were a section"
    )]
    Shape {
        /// The variable.
        variable: String,
    },
}

impl Loader {
    /// No layers yet. Environment variables will be those that start with `prefix` and an underscore.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: format!("{}_", prefix.to_uppercase().replace('-', "_")),
            file: None,
            environment: Vec::new(),
            reserved: Vec::new(),
            flags: Table::new(),
        }
    }

    /// The layers of a program as all of ours have them: its file, and its environment without the variables that name
    /// the file and the passphrase.
    pub fn of_program(prefix: &str, file: &Path) -> Self {
        let loader = Self::new(prefix).file(file).environment(std::env::vars_os());
        let name = |what| format!("{}{what}", loader.prefix);
        let reserved = ["CONFIG", "PASSPHRASE_FROM", "PASSPHRASE"].map(name);
        loader.reserved(&reserved.each_ref().map(String::as_str))
    }

    /// Reads this file, which must be there.
    pub fn file(mut self, path: &Path) -> Self {
        self.file = Some((path.to_owned(), Missing::Refused));
        self
    }

    /// Reads this file if it is there.
    pub fn optional_file(mut self, path: &Path) -> Self {
        self.file = Some((path.to_owned(), Missing::Empty));
        self
    }

    /// Takes the environment as it is given here; pass `std::env::vars_os()`.
    /// Variables without the prefix are passed over. Bytes that are not UTF-8 become replacement characters.
    pub fn environment<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<std::ffi::OsStr>,
        V: AsRef<std::ffi::OsStr>,
    {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        self.environment = variables
            .into_iter()
            .map(|(key, value)| (text(key.as_ref()), text(value.as_ref())))
            .filter(|(key, _)| key.starts_with(&self.prefix))
            .collect();
        self.environment.sort();
        self
    }

    /// Names variables (whole names) that have the prefix but are no configuration, such as the passphrase.
    pub fn reserved(mut self, names: &[&str]) -> Self {
        self.reserved = names.iter().map(ToString::to_string).collect();
        self
    }

    /// Takes the flags of the command line; see [`set_flag`].
    pub fn flags(mut self, flags: Table) -> Self {
        self.flags = flags;
        self
    }

    /// Merges the layers and reads the configuration.
    ///
    /// # Errors
    /// [`ConfigError`], which names the key and where it stands.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let file = self.read_file()?;
        let mut merged = match &file {
            Some((path, text)) => parse(path, text)?,
            None => Table::new(),
        };
        let mut variables = BTreeMap::new();
        for (variable, text) in &self.environment {
            if self.reserved.contains(variable) {
                continue;
            }
            let key = self.key_of(variable);
            if !set(&mut merged, &key, Value::String(text.clone())) {
                return Err(ConfigError::Shape { variable: variable.clone() });
            }
            variables.insert(key, variable.clone());
        }
        merge(&mut merged, &self.flags);
        variables.retain(|key, _| lookup(&self.flags, key).is_none());
        T::deserialize(Node::root(merged, &variables)).map_err(|failure| {
            let key = failure.path.unwrap_or_default();
            let origin = self.origin(&key, &variables, file.as_ref());
            ConfigError::Invalid { key, origin, reason: failure.reason }
        })
    }

    fn read_file(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let Some((path, missing)) = &self.file else { return Ok(None) };
        let failed = |source| ConfigError::Read { path: path.clone(), source };
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && *missing == Missing::Empty => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB")));
        }
        Ok(Some((path.clone(), text)))
    }

    fn key_of(&self, variable: &str) -> String {
        variable.strip_prefix(&self.prefix).unwrap_or(variable).to_lowercase().replace("__", ".")
    }

    fn origin(
        &self,
        key: &str,
        variables: &BTreeMap<String, String>,
        file: Option<&(PathBuf, String)>,
    ) -> Origin {
        let key = key.split('[').next().unwrap_or(key); // a list's elements stand where the list stands
        if key.is_empty() {
            return Origin::Nowhere;
        }
        if lookup(&self.flags, key).is_some_and(|value| !value.is_table()) {
            return Origin::Flag;
        }
        // An unknown section may be known only by a variable for a key inside it.
        let inside = format!("{key}.");
        let variable = variables.iter().find(|(path, _)| *path == key || path.starts_with(&inside));
        let line = file.and_then(|(path, text)| Some((path, line_of(text, key)?)));
        match (variable, line) {
            (Some((path, variable)), _) if path == key => Origin::Environment(variable.clone()),
            (_, Some((path, line))) => Origin::File { path: path.clone(), line },
            (Some((_, variable)), None) => Origin::Environment(variable.clone()),
            (None, None) if lookup(&self.flags, key).is_some() => Origin::Flag,
            (None, None) => Origin::Nowhere,
        }
    }
}

/// Puts a flag's value under a key such as `bitcoin.rpc_url`, if the flag was given.
pub fn set_flag(flags: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        // Flags are the caller's own, so a key that is both a section and a value is a typo the next load reveals.
        set(flags, key, value.into());
    }
}

/// Lists the tables of a complete sample configuration in which `T` accepts an unknown key. To be asserted empty.
///
/// # Errors
/// [`ConfigError`] when the sample itself does not load.
pub fn lenient_tables<T: DeserializeOwned>(sample: &str) -> Result<Vec<String>, ConfigError> {
    const UNKNOWN: &str = "a_key_that_nobody_knows";
    let sample = parse(Path::new("sample"), sample)?;
    Loader::new("sample").flags(sample.clone()).load::<T>()?;
    let mut sections = vec![String::new()];
    list_sections(&sample, "", &mut sections);
    sections.retain(|section| {
        let mut with_unknown = sample.clone();
        let key = if section.is_empty() { UNKNOWN.to_owned() } else { format!("{section}.{UNKNOWN}") };
        set(&mut with_unknown, &key, Value::Boolean(true));
        Loader::new("sample").flags(with_unknown).load::<T>().is_ok()
    });
    Ok(sections)
}

fn list_sections(table: &Table, path: &str, sections: &mut Vec<String>) {
    for (key, value) in table {
        if let Value::Table(inner) = value {
            let path = value::join(path, key);
            sections.push(path.clone());
            list_sections(inner, &path, sections);
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_at(text, &span)),
        reason: error.message().to_owned(),
    })
}

/// Sets a key; false if a part of the way is a value and no section, or the key is a section.
fn set(table: &mut Table, key: &str, value: Value) -> bool {
    match key.split_once('.') {
        None => {
            let was = table.insert(key.to_owned(), value);
            !was.is_some_and(|was| was.is_table())
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().is_some_and(|inner| set(inner, rest, value))
        }
    }
}

fn merge(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            _ => drop(below.insert(key.clone(), value.clone())),
        }
    }
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
    }
}

fn line_of(text: &str, key: &str) -> Option<usize> {
    let parsed = toml::de::DeTable::parse(text).ok()?;
    let mut table = parsed.get_ref();
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part)?;
        if parts.peek().is_none() {
            return Some(line_at(text, &name.span()));
        }
        table = value.get_ref().as_table()?;
    }
    None
}

fn line_at(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

fn in_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" key {key:?}") }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, " ({}, line {line})", path.display()),
            Self::Environment(variable) => write!(f, " (environment variable {variable})"),
            Self::Flag => f.write_str(" (command line)"),
            Self::Nowhere => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
