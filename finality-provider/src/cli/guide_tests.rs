//! Every command the guides tell people to run is one.

use super::Cli;
use clap::Parser;

const GUIDES: &[(&str, &str)] = &[
    ("finality-provider.md", include_str!("../../../docs/guide/finality-provider.md")),
    ("standby-pair.md", include_str!("../../../docs/guide/standby-pair.md")),
    ("runbook.md", include_str!("../../../docs/runbook.md")),
];

/// The command lines of a document: lines of code blocks, and code within text, that begin with the program's name.
fn commands_of(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            commands.push(line.trim().to_owned());
        } else {
            commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    commands.retain(|command| command.starts_with("finality-provider "));
    commands
}

/// As the shell would cut it: without comment and redirection, and with a value for every name in capitals.
fn words_of(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let command = command.split(" > ").next().unwrap_or_default();
    let word = |word: &str| match word {
        "KEY" => "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".to_owned(),
        "HEIGHT" => "5".to_owned(),
        "ADDRESS" => "127.0.0.1:1".to_owned(),
        other => other.to_owned(),
    };
    command.split_whitespace().map(word).collect()
}

#[test]
fn every_command_of_the_guides_parses() {
    let mut count = 0;
    for (guide, text) in GUIDES {
        for command in commands_of(text) {
            count += 1;
            let parsed = Cli::try_parse_from(words_of(&command));
            assert!(parsed.is_ok(), "{guide}: {command}\n{}", parsed.unwrap_err());
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn commands_are_found_in_blocks_and_in_text() {
    let text =
        "run `finality-provider status` or\n```\nfinality-provider init --key KEY  # once\nother\n```\n";
    let commands = commands_of(text);
    assert_eq!(commands, ["finality-provider status", "finality-provider init --key KEY  # once"]);
    assert_eq!(words_of(&commands[1]).len(), 4);
}

#[test]
fn every_command_of_the_program_is_in_the_guide() {
    use clap::CommandFactory;
    fn leaves(command: &clap::Command, path: &str, all: &mut Vec<String>) {
        let is_ours = |sub: &&clap::Command| sub.get_name() != "help" && !sub.is_hide_set();
        let visible: Vec<_> = command.get_subcommands().filter(is_ours).collect();
        if visible.is_empty() {
            all.push(path.to_owned());
        }
        for sub in visible {
            leaves(sub, format!("{path} {}", sub.get_name()).trim(), all);
        }
    }
    let mut all = Vec::new();
    leaves(&Cli::command(), "", &mut all);
    for command in all {
        let last = command.rsplit(' ').next().unwrap_or_default();
        let tells = |guide: &str| guide.contains(&command) || guide.contains(&format!("`{last}`"));
        assert!(GUIDES.iter().any(|(_, guide)| tells(guide)), "no guide tells of {command}");
    }
}
