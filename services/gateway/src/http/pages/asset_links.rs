//! Links of a page to its files: at this build's addresses, and to each module that its scripts
//! import, so that a browser asks for all of them at once.

use super::assets::{ASSETS, Asset};
use super::build_id::own_build_id;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::LazyLock;

const PLAIN_PREFIX: &str = "\"/assets/";
const MODULE: &str = "<script type=\"module\" src=\"/assets/";

/// Modules that each script imports, directly or by others.
static MODULES: LazyLock<HashMap<&str, BTreeSet<&str>>> = LazyLock::new(|| {
    let scripts = ASSETS.iter().filter(|asset| asset.path.ends_with(".js"));
    scripts.map(|script| (script.path, all_imports(script))).collect()
});

/// The text of a page with the links as a browser is to have them.
pub(super) fn with_asset_links(page: &str) -> String {
    let mut links = String::new();
    for module in modules_of(page) {
        let _ = writeln!(links, "<link rel=\"modulepreload\" href=\"/assets/{module}\">");
    }
    let own = format!("{PLAIN_PREFIX}{}/", own_build_id());
    page.replacen("</head>", &format!("{links}</head>"), 1).replace(PLAIN_PREFIX, &own)
}

/// What the modules of a page import, without those that it names itself.
fn modules_of(page: &str) -> BTreeSet<&str> {
    let named: BTreeSet<_> =
        page.split(MODULE).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let imported = named.iter().filter_map(|path| MODULES.get(path)).flatten().copied();
    imported.filter(|path| !named.contains(path)).collect()
}

fn all_imports(script: &Asset) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open = imports(script);
    while let Some(path) = open.pop() {
        let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else { continue };
        if found.insert(asset.path) {
            open.extend(imports(asset));
        }
    }
    found
}

/// Paths that a script imports when it is loaded.
pub(super) fn imports(script: &Asset) -> Vec<String> {
    let code = script.body.lines().filter(|line| !line.trim_start().starts_with(['/', '*']));
    let from = code.filter(|line| line.starts_with("import ") || line.starts_with("} from "));
    let names =
        from.flat_map(|line| line.split("'.").skip(1).filter_map(|rest| rest.split('\'').next()));
    names.map(|name| resolve(script.path, &format!(".{name}"))).collect()
}

/// Path of a file that another one imports.
fn resolve(from: &str, import: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_has_the_build_and_every_imported_module_is_asked_for_once() {
        let page = "<head>\n<link rel=\"stylesheet\" href=\"/assets/shared/base.css\">\n\
            <script type=\"module\" src=\"/assets/pages/ticket/ticket.js\"></script>\n</head>";
        let linked = with_asset_links(page);
        let build = own_build_id();
        assert_eq!(linked.matches("/assets/").count(), linked.matches(build).count(), "{linked}");
        assert!(linked.contains(&format!("href=\"/assets/{build}/shared/base.css\"")));
        let preloaded: Vec<_> =
            linked.lines().filter(|line| line.contains("modulepreload")).collect();
        for module in ["shared/http.js", "shared/words.js", "pages/ticket/words.js"] {
            let link = format!("href=\"/assets/{build}/{module}\"");
            assert_eq!(preloaded.iter().filter(|line| line.contains(&link)).count(), 1, "{module}");
        }
        assert!(preloaded.iter().all(|line| !line.contains("ticket/ticket.js")), "{linked}");
        assert_eq!(linked.matches("</head>").count(), 1);
    }

    #[test]
    fn a_page_without_modules_gets_none() {
        let page = "<head></head><p>\"assets\"</p>";
        assert_eq!(with_asset_links(page), page);
    }
}
