//! Search of the programs' output for what must never be printed: secrets, tokens, openids.

use std::collections::HashSet;

/// Shortest text that is looked for, in bytes: a shorter one may be part of any word.
const MIN_LEN: usize = 6;

/// Returns the lines with one of these secrets, or with an access token.
pub fn leaks<'a>(output: &'a str, secrets: &HashSet<String>) -> Vec<&'a str> {
    let is_secret = |word: &str| word.len() >= MIN_LEN && secrets.contains(word);
    let lines = output.lines();
    let leaks = lines.filter(|line| line.contains("access_token=") || words(line).any(is_secret));
    leaks.collect()
}

/// Words as openids, tokens and keys are written.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let secrets = HashSet::from(["oPerson1".to_owned(), "a-key-of-nobody".to_owned()]);
    let output = "started\nsent to=\"oPerson1\"\nsent to=oPerson12\nGET /x?key=a-key-of-nobody&y\n\
                  GET /send?access_token=9\n";
    let expected =
        ["sent to=\"oPerson1\"", "GET /x?key=a-key-of-nobody&y", "GET /send?access_token=9"];
    assert_eq!(leaks(output, &secrets), expected);
}
