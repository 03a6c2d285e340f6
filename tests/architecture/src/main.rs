//! Command that prints figures of the architecture: module graphs and documentation statistics.

use architecture::files::{packages, repository_root};
use architecture::graph::{Graph, is_root};
use architecture::prose::{self, Prose, share};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: architecture modules [--arrows] [--circles] [PACKAGE...]
       architecture prose [FOLDER...]

modules   top-level modules, arrows between them and circles of files, a line for each package
prose     doc comments that open with an interrogative, and lines of code, a line for each folder

Without a path, it is every package of this repository.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (options, paths): (Vec<_>, Vec<_>) =
        arguments.iter().skip(1).map(String::as_str).partition(|a| a.starts_with("--"));
    let folders =
        if paths.is_empty() { packages() } else { paths.iter().map(PathBuf::from).collect() };
    let lines: Vec<_> = match arguments.first().map(String::as_str) {
        Some("modules") => folders.iter().flat_map(|folder| modules(folder, &options)).collect(),
        Some("prose") => prose(&folders),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match std::io::stdout().write_all((lines.join("\n") + "\n").as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Folder as it is named in the output.
fn name(folder: &Path) -> String {
    folder.strip_prefix(repository_root()).unwrap_or(folder).display().to_string()
}

fn modules(folder: &Path, options: &[&str]) -> Vec<String> {
    let graph = Graph::read(folder);
    let circles = graph.circles();
    let arrows = graph.arrows();
    let between = arrows.keys().filter(|(from, to)| !is_root(from) && !is_root(to)).count();
    let mut lines = vec![format!(
        "{}: {} top-level modules, {between} arrows between them; \
         {} files, {} in the largest circle, {} in any circle",
        name(folder),
        graph.top_level().len(),
        graph.files.len(),
        circles.first().map_or(0, Vec::len),
        circles.iter().map(Vec::len).sum::<usize>(),
    )];
    if options.contains(&"--arrows") {
        let arrow = |((from, to), mentions): (&(&str, &str), &Vec<_>)| {
            format!("  {from} -> {to} ({})", mentions.len())
        };
        lines.extend(arrows.iter().map(arrow));
    }
    if options.contains(&"--circles") {
        for circle in &circles {
            lines.push(format!("  circle of {} files:", circle.len()));
            let files = circle.iter().map(|file| graph.files[*file].display());
            lines.extend(files.map(|file| format!("    {file}")));
        }
    }
    lines
}

fn prose(folders: &[PathBuf]) -> Vec<String> {
    let counts: Vec<_> =
        folders.iter().map(|folder| (name(folder), prose::below(folder))).collect();
    let all = counts.iter().fold(Prose::default(), |sum, (_, prose)| sum + *prose);
    let mut lines: Vec<_> = counts.iter().map(|(name, prose)| sentence(name, prose)).collect();
    if folders.len() > 1 {
        lines.push(sentence("in all", &all));
    }
    lines
}

fn sentence(name: &str, prose: &Prose) -> String {
    format!(
        "{name}: {} of {} files open with an interrogative; {} of {} doc comments ({:.1} %), \
         {} of {} doc lines ({:.1} %); {} lines of code, {} lines",
        prose.files_opening,
        prose.files,
        prose.docs_opening,
        prose.docs,
        share(prose.docs_opening, prose.docs),
        prose.doc_lines_opening,
        prose.doc_lines,
        share(prose.doc_lines_opening, prose.doc_lines),
        prose.code_lines,
        prose.lines,
    )
}
