//! Links of the documents lead to files.

use crate::repository::{files, read, root};

/// Targets of links, `](…)`, and of pictures, `src="…"`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let between = |open: &'static str, close: char| {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    };
    between("](", ')').chain(between("src=\"", '"'))
}

#[test]
fn every_link_of_a_document_leads_to_a_file_of_ours() {
    let mut followed = 0;
    for document in files(".", &[".md"]) {
        let text = read(&document);
        for target in targets(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let folder = root().join(&document);
            let found = folder.parent().expect("a file is in a folder").join(path);
            assert!(found.exists(), "{document} points to {target}, which is not there");
            followed += 1;
        }
    }
    assert!(followed > 20, "the links were not found: {followed}");
}
