use super::*;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    depth: Option<u32>,
    #[serde(default)]
    verbose: bool,
    #[serde(default)]
    providers: Vec<String>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    bitcoin: Bitcoin,
}

#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Bitcoin {
    rpc_url: String,
    ports: Vec<u16>,
    ratio: f64,
}

const FILE: &str = "name = \"from file\"\ndepth = 6\n\n[bitcoin]\nrpc_url = \"http://a\"\nports = [1, 2]\n";

struct Layers {
    dir: tempfile::TempDir,
    loader: Loader,
}

fn layers(file: &str, environment: &[(&str, &str)]) -> Layers {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let loader = Loader::new("my-program").file(&path).environment(environment.iter().copied());
    Layers { dir, loader }
}

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let layers = layers(file, environment);
    let result = layers.loader.load();
    drop(layers.dir);
    result
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let environment = [("MY_PROGRAM_NAME", "from env"), ("MY_PROGRAM_DEPTH", "7"), ("OTHER_NAME", "x")];
    let mut flags = Table::new();
    set_flag(&mut flags, "depth", Some(8i64));
    set_flag(&mut flags, "bitcoin.rpc_url", Some("http://b"));
    set_flag(&mut flags, "verbose", None::<bool>);
    let Layers { dir: _dir, loader } = layers(FILE, &environment);
    let config: Config = loader.flags(flags).load().unwrap();
    assert_eq!((config.name.as_str(), config.depth, config.verbose), ("from env", Some(8), false));
    assert_eq!((config.bitcoin.rpc_url.as_str(), config.bitcoin.ports), ("http://b", vec![1, 2]));
}

#[test]
fn text_of_the_environment_takes_the_type_that_is_wanted() {
    let config = load(
        "",
        &[
            ("MY_PROGRAM_NAME", "12"),
            ("MY_PROGRAM_DEPTH", "12"),
            ("MY_PROGRAM_VERBOSE", "true"),
            ("MY_PROGRAM_FORMAT", "json"),
            ("MY_PROGRAM_PROVIDERS", "1, b"),
            ("MY_PROGRAM_BITCOIN__PORTS", "[8332, 18443]"),
            ("MY_PROGRAM_BITCOIN__RATIO", "0.5"),
        ],
    )
    .unwrap();
    let bitcoin = Bitcoin { rpc_url: String::new(), ports: vec![8332, 18443], ratio: 0.5 };
    let expected = Config {
        name: "12".to_owned(),
        depth: Some(12),
        verbose: true,
        providers: vec!["1".to_owned(), "b".to_owned()],
        format: Format::Json,
        bitcoin,
    };
    assert_eq!(config, expected);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_would_be_right() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: [Case; 10] = [
        ("nane = 1\nname = \"a\"", &[], &["key \"nane\"", "line 1", "unknown field", "`name`", "`depth`"]),
        ("name = \"a\"\n\n[bitcoin]\nrpc = 1", &[], &["key \"bitcoin.rpc\"", "line 4", "`rpc_url`"]),
        ("name = \"a\"\n[bitcion]\nrpc_url = \"\"", &[], &["key \"bitcion\"", "line 2", "`bitcoin`"]),
        ("name = \"a\"\ndepth = \"six\"", &[], &["key \"depth\"", "line 2", "invalid type", "u32"]),
        ("name = \"a\"\ndepth = -1", &[], &["key \"depth\"", "line 2", "-1"]),
        ("[bitcoin]\nports = [1, 70000]", &[], &["bitcoin.ports[1]", "line 2", "70000"]),
        ("depth = 1", &[], &["missing field `name`"]),
        ("name = \"a\"\nname = \"b\"", &[], &["line 2", "duplicate key"]),
        ("", &[("MY_PROGRAM_NANE", "a")], &["nane", "environment variable MY_PROGRAM_NANE", "`name`"]),
        (FILE, &[("MY_PROGRAM_DEPTH", "six")], &["MY_PROGRAM_DEPTH", "\"six\" is not a whole number"]),
    ];
    for (file, environment, words) in cases {
        let error = load(file, environment).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    }
}

#[test]
fn a_variable_cannot_turn_a_section_into_a_value() {
    for variable in ["MY_PROGRAM_BITCOIN", "MY_PROGRAM_NAME__INNER"] {
        let error = load(FILE, &[(variable, "x")]).unwrap_err();
        assert!(matches!(error, ConfigError::Shape { variable: named } if named == variable));
    }
}

#[test]
fn reserved_variables_are_no_configuration() {
    let Layers { dir: _dir, loader } = layers(FILE, &[("MY_PROGRAM_PASSPHRASE", "x")]);
    assert!(loader.reserved(&["MY_PROGRAM_PASSPHRASE"]).load::<Config>().is_ok());
}

#[test]
fn a_missing_file_is_refused_unless_it_is_optional() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent.toml");
    let named = [("P_NAME", "a")];
    assert!(matches!(Loader::new("p").file(&path).load::<Config>(), Err(ConfigError::Read { .. })));
    assert!(Loader::new("p").optional_file(&path).environment(named).load::<Config>().is_ok());
}

#[test]
fn structs_that_accept_unknown_keys_are_found() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "lenient")]
        _lenient: Lenient,
    }
    #[derive(Deserialize)]
    struct Lenient {
        #[serde(rename = "a")]
        _a: u8,
    }
    assert_eq!(lenient_tables::<Outer>("lenient = { a = 1 }").unwrap(), ["lenient"]);
    assert_eq!(lenient_tables::<Config>(FILE).unwrap(), [""; 0]);
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error(text: String, variable: String, value: String) {
        let _ = load(&text, &[(&format!("MY_PROGRAM_{variable}"), &value)]);
    }
}
