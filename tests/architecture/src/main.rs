//! Command that prints figures of the architecture: module graphs and documentation statistics.

use architecture::files::{below, root};
use architecture::graph::Graph;
use architecture::prose::{self, Prose};
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
    match arguments.first().map(String::as_str) {
        Some("modules") => folders.iter().for_each(|folder| modules(folder, &options)),
        Some("prose") => prose(&folders),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Folders of the repository's packages, from its top folder.
fn packages() -> Vec<PathBuf> {
    let manifests = below(&root(), &["Cargo.toml"]);
    let folders = manifests.iter().filter_map(|manifest| manifest.parent());
    folders.filter(|folder| folder.join("src").is_dir()).map(Path::to_owned).collect()
}

fn name(folder: &Path) -> String {
    let from_root = folder.strip_prefix(root()).unwrap_or(folder);
    from_root.display().to_string()
}

fn modules(folder: &Path, options: &[&str]) {
    let graph = Graph::read(folder);
    let circles = graph.circles();
    let arrows = graph.arrows();
    let between = arrows.keys().filter(|(from, to)| ![from, to].iter().any(|m| is_root(m)));
    println!(
        "{}: {} top-level modules, {} arrows between them; {} files, {} of them in the largest circle, {} in circles",
        name(folder),
        graph.top_level().len(),
        between.count(),
        graph.files.len(),
        circles.first().map_or(0, Vec::len),
        circles.iter().map(Vec::len).sum::<usize>(),
    );
    if options.contains(&"--arrows") {
        for ((from, to), mentions) in &arrows {
            println!("  {from} -> {to} ({})", mentions.len());
        }
    }
    if options.contains(&"--circles") {
        for circle in &circles {
            println!("  circle of {} files:", circle.len());
            for file in circle {
                println!("    {}", graph.files[*file].display());
            }
        }
    }
}

fn is_root(module: &str) -> bool {
    ["lib", "main"].contains(&module)
}

fn prose(folders: &[PathBuf]) {
    for folder in folders {
        let Prose {
            files,
            files_opening,
            docs,
            docs_opening,
            doc_lines,
            doc_lines_opening,
            code_lines,
            lines,
        } = prose::below(folder);
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{}: {files_opening} of {files} files open with an interrogative; {doc_lines_opening} of {doc_lines} doc lines ({:.1} %), {docs_opening} of {docs} doc comments ({:.1} %); {code_lines} lines of code, {lines} lines",
            name(folder),
            share(doc_lines_opening, doc_lines),
            share(docs_opening, docs),
        );
    }
}
