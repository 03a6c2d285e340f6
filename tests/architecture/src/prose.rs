//! Statistics of doc comments.

use std::path::Path;

/// Words with which a doc line asks instead of naming a thing.
pub const INTERROGATIVES: [&str; 8] =
    ["What", "Which", "Whether", "How", "Who", "Why", "Where", "When"];

/// Counts over files of source.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Prose {
    /// Files.
    pub files: usize,
    /// Files whose first sentence opens with an interrogative.
    pub files_opening: usize,
    /// Doc comments: runs of lines that begin with `///` or `//!`.
    pub docs: usize,
    /// Doc comments that open with an interrogative.
    pub docs_opening: usize,
    /// Lines of doc comments, empty ones left out.
    pub doc_lines: usize,
    /// Lines of doc comments that open with an interrogative.
    pub doc_lines_opening: usize,
    /// Lines that are neither empty nor a comment.
    pub code_lines: usize,
    /// All lines.
    pub lines: usize,
}

/// One line of a doc comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocLine<'a> {
    /// Line in the file.
    pub number: usize,
    /// Text after the mark.
    pub text: &'a str,
    /// True for the first line of a doc comment.
    pub first: bool,
}

/// Lines of doc comments in a file's text, empty ones left out.
pub fn doc_lines(text: &str) -> impl Iterator<Item = DocLine<'_>> {
    let mut within = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let Some(text) = text.filter(|text| !text.starts_with('/')).map(str::trim) else {
            within = false;
            return None;
        };
        let first = !std::mem::replace(&mut within, true);
        (!text.is_empty()).then_some(DocLine { number: at + 1, text, first })
    })
}

/// The interrogative that a text opens with.
pub fn interrogative(text: &str) -> Option<&'static str> {
    let first = text.split(|c: char| !c.is_alphabetic()).next()?;
    INTERROGATIVES.into_iter().find(|word| *word == first)
}

/// Counts one file's text.
pub fn count(text: &str) -> Prose {
    let mut prose = Prose { files: 1, lines: text.lines().count(), ..Prose::default() };
    for line in text.lines().map(str::trim) {
        prose.code_lines += usize::from(!line.is_empty() && !line.starts_with("//"));
    }
    for line in doc_lines(text) {
        let opens = usize::from(interrogative(line.text).is_some());
        prose.doc_lines += 1;
        prose.doc_lines_opening += opens;
        if line.first {
            prose.docs += 1;
            prose.docs_opening += opens;
        }
        if line.number == 1 {
            prose.files_opening += opens;
        }
    }
    prose
}

/// Counts all sources below a folder.
pub fn below(folder: &Path) -> Prose {
    let files = crate::files::list_files(folder, &[".rs"]);
    let counts = files.iter().map(|file| count(&crate::files::read_file(file)));
    counts.fold(Prose::default(), |sum, prose| sum + prose)
}

/// Percentage of a part of a whole.
pub fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl std::ops::Add for Prose {
    type Output = Prose;

    fn add(self, other: Prose) -> Prose {
        Prose {
            files: self.files + other.files,
            files_opening: self.files_opening + other.files_opening,
            docs: self.docs + other.docs,
            docs_opening: self.docs_opening + other.docs_opening,
            doc_lines: self.doc_lines + other.doc_lines,
            doc_lines_opening: self.doc_lines_opening + other.doc_lines_opening,
            code_lines: self.code_lines + other.code_lines,
            lines: self.lines + other.lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openers_are_counted_by_line_by_comment_and_by_file() {
        let text =
            "//! What it is.\n//!\n//! Whatever.\n\n/// A thing\n/// Which is so.\nfn f() {}\n";
        let counted = count(text);
        assert_eq!((counted.doc_lines, counted.doc_lines_opening), (4, 2));
        assert_eq!((counted.docs, counted.docs_opening), (2, 1));
        assert_eq!((counted.files_opening, counted.code_lines, counted.lines), (1, 1, 7));
    }
}
