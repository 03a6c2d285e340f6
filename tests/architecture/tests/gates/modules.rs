//! Direction of modules inside a crate.
//!
//! `cargo run -p architecture -- modules --arrows --circles PACKAGE` shows the same graph.

use crate::repository::{graph, repository_root};
use architecture::files::read_file;
use architecture::syntax::idents;
use std::collections::{BTreeMap, BTreeSet};

/// The modules that a module may use.
type Arrows = (&'static str, &'static [&'static str]);

/// Rules of one crate.
struct Rules {
    package: &'static str,
    /// Every top-level module, and the modules that it may use. `lib` is the root itself: the
    /// wiring, and what the crate shows.
    arrows: &'static [Arrows],
    /// Arrows against the direction, which have to be removed.
    to_remove: &'static [Arrows],
    /// Files that stand in circles of files. It can only fall.
    max_in_circles: usize,
}

const RULES: [Rules; 4] = [
    // The edge, the core beside the read models, and at the bottom the stored form.
    Rules {
        package: "services/gateway",
        arrows: &[
            ("lib", &["settings", "http", "identity", "engine", "projections", "scan"]),
            ("http", &["settings", "site", "identity", "engine", "projections", "scan"]),
            ("engine", &["codec", "site"]),
            ("settings", &["site"]),
            ("identity", &["codec"]),
            ("projections", &["codec"]),
            ("scan", &["codec"]),
            ("codec", &[]),
            ("site", &[]),
        ],
        to_remove: &[],
        max_in_circles: 5,
    },
    // Consumers over what they share.
    Rules {
        package: "services/notifier",
        arrows: &[
            (
                "lib",
                &[
                    "account_checks",
                    "delivery",
                    "person_tags",
                    "planning",
                    "ports",
                    "receipts",
                    "redrive",
                    "settings",
                    "templates",
                ],
            ),
            (
                "handlers",
                &[
                    "delivery",
                    "person_tags",
                    "planning",
                    "ports",
                    "receipts",
                    "settings",
                    "templates",
                ],
            ),
            ("planning", &["delivery", "ports"]),
            ("delivery", &["person_tags", "ports", "settings", "stored_time", "templates"]),
            ("person_tags", &["settings"]),
            ("receipts", &["delivery", "ports", "stored_time"]),
            ("redrive", &["delivery", "ports"]),
            ("webhooks", &["stored_time"]),
            ("account_checks", &["settings", "templates"]),
            ("templates", &["settings"]),
            ("ports", &[]),
            ("settings", &[]),
            ("stored_time", &[]),
        ],
        to_remove: &[],
        max_in_circles: 0,
    },
    Rules {
        package: "services/token",
        arrows: &[
            ("lib", &["accounts", "ports", "registry", "reports", "settings"]),
            ("server", &["lib"]),
            ("accounts", &["decide", "registry", "settings"]),
            ("reports", &["registry"]),
            ("registry", &["decide", "keeper", "ports", "settings", "store"]),
            ("keeper", &["alarm", "decide", "failure_note", "fetching", "settings", "store"]),
            ("ports", &["fetching"]),
            ("fetching", &["decide", "settings"]),
            ("settings", &["decide"]),
            ("alarm", &[]),
            ("failure_note", &[]),
            ("decide", &[]),
            ("store", &[]),
        ],
        to_remove: &[],
        max_in_circles: 3,
    },
    // Functions over the whole site, what they say and are told, and below both the types.
    Rules {
        package: "shared/domain",
        arrows: &[
            (
                "decide",
                &[
                    "day_rollover",
                    "model",
                    "next_ticket",
                    "notifications",
                    "protocol",
                    "visit_records",
                ],
            ),
            ("timers", &["batches", "day_rollover", "model", "notifications", "protocol"]),
            ("auto_call", &["model", "next_ticket"]),
            ("batches", &["day_rollover", "model", "protocol"]),
            ("day_rollover", &["model", "protocol", "visit_records"]),
            ("evolve", &["model", "protocol"]),
            ("forecasts", &["estimate", "line_simulation", "model", "protocol"]),
            ("line_simulation", &["estimate", "model", "next_ticket"]),
            ("notifications", &["forecasts", "model", "protocol"]),
            ("next_ticket", &["model"]),
            ("parts", &["model", "protocol"]),
            ("position_history", &["model"]),
            ("visit_records", &["model", "protocol"]),
            ("estimate", &["model"]),
            ("protocol", &["model"]),
            ("model", &[]),
        ],
        to_remove: &[("model", &["estimate", "protocol"])],
        max_in_circles: 0,
    },
];

/// Mentions of one arrow that a failure shows.
const MAX_SHOWN_MENTIONS: usize = 5;

#[test]
fn modules_use_only_what_their_table_allows() {
    let mut wrong = Vec::new();
    for Rules { package, arrows, to_remove, .. } in &RULES {
        let graph = graph(package);
        let listed: Vec<_> = arrows.iter().map(|(from, _)| *from).collect();
        for module in graph.top_level() {
            if !listed.contains(&module) {
                wrong.push(format!("{package}: the module {module} is not in the table"));
            }
        }
        let allowed: BTreeSet<_> = arrows
            .iter()
            .chain(*to_remove)
            .flat_map(|(from, to)| to.iter().map(move |to| (*from, *to)))
            .collect();
        let found = graph.arrows();
        for ((from, to), mentions) in &found {
            if !allowed.contains(&(from, to)) {
                for mention in mentions.iter().take(MAX_SHOWN_MENTIONS) {
                    let file = graph.files[mention.from].display();
                    let (line, path) = (mention.line, &mention.path);
                    wrong.push(format!(
                        "{package}/{file}:{line}: {from} may not use {to}, and names {path}"
                    ));
                }
                if mentions.len() > MAX_SHOWN_MENTIONS {
                    wrong.push(format!("… {from} names {to} {} times", mentions.len()));
                }
            }
        }
        for (from, to) in allowed.iter().filter(|arrow| !found.contains_key(*arrow)) {
            wrong.push(format!("{package}: {from} no longer uses {to}: take it out of the table"));
        }
        for from in listed.iter().filter(|from| !graph.modules.iter().any(|m| m == *from)) {
            wrong.push(format!("{package}: there is no module {from} any more"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn files_stand_in_no_circle() {
    for Rules { package, max_in_circles, .. } in &RULES {
        let graph = graph(package);
        let circles = graph.circles();
        let found: usize = circles.iter().map(Vec::len).sum();
        let name = |file: &usize| graph.files[*file].display().to_string();
        let files: Vec<Vec<_>> = circles.iter().map(|c| c.iter().map(name).collect()).collect();
        assert!(found <= *max_in_circles, "{package}: {found} files stand in circles: {files:#?}");
        assert!(
            found >= *max_in_circles,
            "{package}: only {found} files in circles: lower the number"
        );
    }
}

/// The gateway's folder that knows HTTP, and beside it the wiring.
const EDGE: [&str; 2] = ["http", "lib"];

/// Names that only the edge knows: the application's state, the HTTP framework, and the response
/// that says what is wrong. All of them occur at the edge.
const EDGE_NAMES: [&str; 3] = ["AppState", "axum", "Problem"];

#[test]
fn nothing_below_the_edge_knows_http() {
    let package = repository_root().join("services/gateway");
    let graph = graph("services/gateway");
    let mut at_edge = BTreeMap::new();
    let mut below = Vec::new();
    for (file, module) in graph.files.iter().zip(&graph.modules) {
        for ident in idents(&read_file(&package.join(file))) {
            let (name, line) = (ident.to_string(), ident.span().start().line);
            let Some(name) = EDGE_NAMES.iter().find(|known| **known == name) else { continue };
            if EDGE.contains(&module.as_str()) {
                *at_edge.entry(*name).or_insert(0) += 1;
            } else {
                below.push(format!("{}:{line}: {name}", file.display()));
            }
        }
    }
    let stale: Vec<_> = EDGE_NAMES.iter().filter(|name| !at_edge.contains_key(**name)).collect();
    assert!(stale.is_empty(), "the edge has other names now than {stale:?}");
    assert!(below.is_empty(), "below the edge:\n{}", below.join("\n"));
}
