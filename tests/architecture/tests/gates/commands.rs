//! Commands and paths of CONTRIBUTING.md: each command is run or checked, each path is there.

use crate::repository::{list_files, read_file, repository_root, workspace_packages};
use architecture::suites;
use paihao::cli;
use paihao_chassis::Exit;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

const DOCUMENT: &str = "CONTRIBUTING.md";

/// Lines of the document's `sh` blocks.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut within = false;
    let mut open = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            within = line == "```sh";
        } else if within && let Some(begun) = line.strip_suffix('\\') {
            open += begun;
        } else if within && !line.is_empty() && !line.starts_with('#') {
            found.push(std::mem::take(&mut open) + line);
        }
    }
    found
}

/// Checks one command as far as it is cheap; `Err` says what is wrong.
fn check(command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace().peekable();
    while words.next_if(|word| word.contains('=') && !word.starts_with('-')).is_some() {}
    let words: Vec<_> = words.collect();
    match words.as_slice() {
        ["./tests/run", modes @ ..] => script("tests/run", modes),
        ["./deploy/try", modes @ ..] => script("deploy/try", modes),
        ["cargo", "run", arguments @ ..] => cargo_run(arguments),
        ["cargo", "test", arguments @ ..] => cargo_test(arguments),
        ["cargo", "doc" | "build" | "check" | "clippy" | "fmt", arguments @ ..] => {
            packages_exist(arguments)
        }
        ["cargo", "metadata", ..] | ["ls" | "git", ..] => run(&words),
        ["./target/release/paihao", arguments @ ..] => program(arguments),
        _ => Err("the gate does not know how to check this".into()),
    }
}

/// Runs a command that only reads.
fn run(words: &[&str]) -> Result<(), String> {
    if let ["git", verb, ..] = words
        && !["diff", "log", "status", "show", "switch", "commit"].contains(verb)
    {
        return Err(format!("git {verb} is not run by the gate"));
    }
    if let ["git", "switch" | "commit", ..] = words {
        return Ok(());
    }
    let output = Command::new(words[0]).args(&words[1..]).current_dir(repository_root()).output();
    let output = output.map_err(|e| e.to_string())?;
    let failed = || String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or_else(failed)
}

/// The modes of a script, as its own head lists them.
fn script(file: &str, modes: &[&str]) -> Result<(), String> {
    let script = read_file(file);
    let called = format!("./{file}");
    let listed = |mode: &&str| {
        let mut head = script.lines().take_while(|line| line.starts_with('#'));
        head.any(|line| {
            let mut words = line.trim_start_matches('#').split_whitespace();
            words.next() == Some(&called) && words.next() == Some(*mode)
        })
    };
    match modes.iter().find(|mode| !listed(mode)) {
        Some(mode) => Err(format!("{file} has no {mode}")),
        None => Ok(()),
    }
}

fn folder_of(package: &str) -> Result<PathBuf, String> {
    let members = workspace_packages();
    let member = members.iter().find(|member| member.name == package);
    let manifest = &member.ok_or_else(|| format!("there is no package {package}"))?.manifest;
    Ok(repository_root().join(Path::new(manifest).parent().expect("a manifest is in a folder")))
}

fn value_of<'a>(arguments: &[&'a str], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| *argument == flag)?;
    arguments.get(at + 1).copied()
}

fn packages_exist(arguments: &[&str]) -> Result<(), String> {
    match value_of(arguments, "-p") {
        Some(package) => folder_of(package).map(drop),
        None => Ok(()),
    }
}

fn cargo_run(arguments: &[&str]) -> Result<(), String> {
    let dashes = arguments.iter().position(|argument| *argument == "--");
    let (before, typed) = arguments.split_at(dashes.unwrap_or(arguments.len()));
    let typed = typed.get(1..).unwrap_or_default();
    match value_of(before, "-p") {
        None | Some("paihao") => program(typed),
        Some("architecture") => {
            let words: Vec<_> =
                [env!("CARGO_BIN_EXE_architecture")].iter().chain(typed).copied().collect();
            run(&words)
        }
        Some(package) => folder_of(package).map(drop),
    }
}

/// Asks the program for the help of a command, which fails for a command that it does not have.
fn program(typed: &[&str]) -> Result<(), String> {
    let help = ["paihao"].iter().chain(typed).chain(&["--help"]).map(std::ffi::OsString::from);
    match cli::main(help.collect::<Vec<_>>(), []) {
        Exit::Clean => Ok(()),
        _ => Err("the program does not know this command".into()),
    }
}

fn cargo_test(arguments: &[&str]) -> Result<(), String> {
    let ours = arguments.split(|argument| *argument == "--").next().unwrap_or_default();
    let package = value_of(ours, "-p").ok_or("says no package")?;
    let target = value_of(ours, "--test");
    let unit = ours.contains(&"--lib");
    let filter = ours.iter().enumerate().find(|(at, word)| {
        let value = *at > 0 && ["-p", "--test", "--features"].contains(&ours[at - 1]);
        !word.starts_with('-') && !value
    });
    let tests = tests_of(&folder_of(package)?);
    let within = tests.iter().filter(|test| match (target, unit) {
        (Some(target), _) => test.target.as_deref() == Some(target),
        (None, true) => test.target.is_none(),
        (None, false) => true,
    });
    let filter = filter.map_or("", |(_, word)| word);
    let mut matching = within.filter(|test| test.path.contains(filter));
    matching.next().map(drop).ok_or_else(|| "there is no such test".into())
}

/// Tests of the package in a folder. A package is parsed once.
fn tests_of(folder: &Path) -> Arc<Vec<suites::Test>> {
    static PARSED: Mutex<BTreeMap<PathBuf, Arc<Vec<suites::Test>>>> = Mutex::new(BTreeMap::new());
    let mut parsed = PARSED.lock().unwrap();
    parsed.entry(folder.to_owned()).or_insert_with(|| suites::of(folder).into()).clone()
}

/// Paths in a document's inline code: words with a slash, and no pattern or placeholder in them.
fn paths(text: &str) -> Vec<&str> {
    let inline = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    let tops = ["services/", "shared/", "tests/", "docs/", "deploy/"];
    inline
        .filter(|code| tops.iter().any(|top| code.starts_with(top)))
        .filter(|code| !code.contains([' ', '{', '*', '<', '…']) && !code.contains("NAME"))
        .collect()
}

#[test]
fn every_command_and_path_of_the_recipes_is_good() {
    let text = read_file(DOCUMENT);
    let commands = commands(&text);
    assert!(commands.len() > 10, "the commands were not found: {commands:?}");
    let paths = paths(&text);
    assert!(paths.len() > 10, "the paths were not found: {paths:?}");
    let wrong = commands.iter().filter_map(|c| check(c).err().map(|why| (c.as_str(), why)));
    let missing = paths.iter().filter(|path| !repository_root().join(path).exists());
    let wrong: Vec<_> =
        wrong.chain(missing.map(|path| (*path, "it is not there".to_owned()))).collect();
    assert!(wrong.is_empty(), "{DOCUMENT}: {wrong:#?}");
}

#[test]
fn a_wrong_command_is_found() {
    for wrong in [
        "./tests/run slowly",
        "cargo run -- sell",
        "cargo run -p nobody",
        "cargo test -p paihao-domain no_test_has_this_name",
        "cargo test -p paihao --test no_such_binary",
        "git diff no/such/file",
        "rm -rf target",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
    assert_eq!(check("PAIHAO_WRITE=1 cargo test -p architecture a_wrong_command_is_found"), Ok(()));
}

#[test]
fn documents_are_read_as_they_are_written() {
    let text =
        "`docs/a` and `x`\n```sh\na \\\n  b\n# c\n```\n`tests/NAME/`\n```text\nd\n```\n`shared/b`";
    assert_eq!(commands(text), ["a b"]);
    assert_eq!(paths(text), ["docs/a", "shared/b"]);
    assert!(!list_files(".", &[DOCUMENT]).is_empty());
}
