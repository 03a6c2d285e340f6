//! Links of the documents lead to files.

use crate::repository::{list_files, read_file, repository_root};

/// Targets of links, `](…)`, and of pictures, `src="…"`.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let between = |open: &'static str, close: char| {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    };
    between("](", ')').chain(between("src=\"", '"'))
}

#[test]
fn every_link_of_a_document_leads_to_a_file_of_ours() {
    let mut followed = 0;
    for document in list_files(".", &[".md"]) {
        let text = read_file(&document);
        for target in link_targets(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let folder = repository_root().join(&document);
            let found = folder.parent().expect("a file is in a folder").join(path);
            assert!(found.exists(), "{document} points to {target}, which is not there");
            followed += 1;
        }
    }
    assert!(followed > 20, "the links were not found: {followed}");
}
