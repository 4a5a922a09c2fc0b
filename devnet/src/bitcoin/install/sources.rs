//! Reads which Debian mirror a machine uses from its apt sources, in both of apt's notations.

use std::path::PathBuf;

/// A mirror of Debian and the keys that sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DebianSource {
    pub(super) mirror: String,
    /// The keyring file the machine names for it.
    pub(super) signed_by: Option<PathBuf>,
}

/// Returns the first mirror of Debian in the given source lists. Other archives, such as security updates and third
/// parties, have no unstable suite and are passed over.
pub(super) fn debian_source(lists: &[String]) -> Option<DebianSource> {
    lists
        .iter()
        .flat_map(|text| one_line_sources(text).into_iter().chain(paragraph_sources(text)))
        .find(is_debian)
}

fn is_debian(source: &DebianSource) -> bool {
    let web = source.mirror.starts_with("http://") || source.mirror.starts_with("https://");
    // The text goes into a configuration file of ours.
    let plain = source.mirror.chars().all(|c| c.is_ascii_graphic() && !"\"\\[];{}".contains(c));
    web && plain && source.mirror.trim_end_matches('/').ends_with("/debian")
}

/// `deb [signed-by=FILE] URI SUITE COMPONENT...`
fn one_line_sources(text: &str) -> Vec<DebianSource> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next()?.trim();
            let rest = line.strip_prefix("deb ").or_else(|| line.strip_prefix("deb\t"))?.trim_start();
            let (options, rest) = match rest.strip_prefix('[') {
                Some(rest) => rest.split_once(']')?,
                None => ("", rest),
            };
            let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
            Some(source(rest.split_whitespace().next()?, signed_by))
        })
        .collect()
}

/// Paragraphs of `Key: value` lines (deb822).
fn paragraph_sources(text: &str) -> Vec<DebianSource> {
    let without_comments: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let paragraphs = without_comments.split(|line| line.trim().is_empty());
    paragraphs.flat_map(paragraph_source).collect()
}

fn paragraph_source(lines: &[&str]) -> Vec<DebianSource> {
    let field = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let is =
        |name: &str, expected: &str| field(name).is_some_and(|v| v.split_whitespace().any(|w| w == expected));
    if !is("Types", "deb") || field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
        return Vec::new();
    }
    let uris = field("URIs").unwrap_or_default();
    uris.split_whitespace().map(|uri| source(uri, field("Signed-By"))).collect()
}

fn source(uri: &str, signed_by: Option<&str>) -> DebianSource {
    let signed_by = signed_by.filter(|path| path.starts_with('/')).map(PathBuf::from);
    DebianSource { mirror: uri.trim_end_matches('/').to_owned(), signed_by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_debian_mirror_is_found_in_either_notation() {
        let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
        for (text, mirror, signed_by) in [
            ("deb http://mirror.example/debian bookworm main\n", Some("http://mirror.example/debian"), None),
            (
                "deb\t[arch=amd64 signed-by=/k.gpg] https://m.example/debian/ sid main",
                Some("https://m.example/debian"),
                Some("/k.gpg"),
            ),
            ("# deb http://mirror.example/debian bookworm main", None, None),
            ("deb-src http://mirror.example/debian bookworm main", None, None),
            ("deb http://packages.example/apt cloud-sdk main", None, None),
            ("deb http://mirror.example/debian-security bookworm-security main", None, None),
            ("deb cdrom:[Debian]/debian bookworm main", None, None),
            (
                "Types: deb\n# a note\nURIs: http://mirror.example/debian\nSuites: bookworm\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
                Some("http://mirror.example/debian"),
                Some(key),
            ),
            ("Types: deb-src\nURIs: http://mirror.example/debian\n", None, None),
            ("Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\n", None, None),
            (
                "Types: deb\nURIs: http://a.example/node http://b.example/debian\n",
                Some("http://b.example/debian"),
                None,
            ),
            ("Types: deb\nURIs: http://x.example/\"; evil/debian\n", None, None),
            ("", None, None),
        ] {
            let found = debian_source(&[text.to_owned()]);
            assert_eq!(found.as_ref().map(|source| source.mirror.as_str()), mirror, "{text}");
            assert_eq!(found.and_then(|source| source.signed_by), signed_by.map(PathBuf::from), "{text}");
        }
    }
}
