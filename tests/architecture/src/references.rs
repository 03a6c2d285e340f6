//! Paths that a source file mentions, collected from its syntax tree.

use crate::syntax::{attributes, impl_attributes, only_in_tests};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, ItemUse, UseTree, Visibility};

/// One mention of a path.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// Names of the inline modules it stands in, from the file's own module down.
    pub(crate) inside: Vec<String>,
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// Form of a mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `use a::b as c`
    Import { alias: String, public: bool },
    /// `use a::b::*`
    Glob { public: bool },
    /// Anywhere else: a type, an expression, a pattern, a macro's tokens.
    Path,
}

/// Collects the references of a file, tests left out.
pub(crate) fn of(file: &syn::File) -> Vec<Reference> {
    let mut collector = Collector { inside: Vec::new(), found: Vec::new() };
    collector.visit_file(file);
    collector.found
}

struct Collector {
    inside: Vec<String>,
    found: Vec<Reference>,
}

impl Collector {
    fn add(&mut self, segments: Vec<String>, line: usize, kind: Kind) {
        self.found.push(Reference { inside: self.inside.clone(), segments, line, kind });
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String], public: bool) {
        match tree {
            UseTree::Path(path) => {
                let mut before = before.to_vec();
                before.push(path.ident.to_string());
                self.use_tree(&path.tree, &before, public);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(tree, before, public));
            }
            UseTree::Name(name) => self.import(before, &name.ident, &name.ident, public),
            UseTree::Rename(rename) => self.import(before, &rename.ident, &rename.rename, public),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.add(before.to_vec(), line, Kind::Glob { public });
            }
        }
    }

    fn import(&mut self, before: &[String], name: &syn::Ident, alias: &syn::Ident, public: bool) {
        let mut segments = before.to_vec();
        let mut alias = alias.to_string();
        if name != "self" {
            segments.push(name.to_string());
        } else if alias == "self" {
            alias = segments.last().cloned().unwrap_or_default();
        }
        self.add(segments, name.span().start().line, Kind::Import { alias, public });
    }

    /// Finds `a::b::c` among tokens that no grammar is known for.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(at) && colon(at + 1)
        };
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let after_dot = at > 0
                        && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '.');
                    let line = first.span().start().line;
                    let mut segments = vec![first.to_string()];
                    while colons(at + 1)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    if !after_dot {
                        self.add(segments, line, Kind::Path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !only_in_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !only_in_tests(impl_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.inside.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.inside.pop();
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let public = !matches!(import.vis, Visibility::Inherited);
        self.use_tree(&import.tree, &[], public);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            self.add(segments, first.ident.span().start().line, Kind::Path);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        visit::visit_macro(self, invocation);
        self.tokens(invocation.tokens.clone());
    }

    /// `#[serde(with = "crate::x")]` names a path in a string.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.visit_path(attribute.path());
        let syn::Meta::List(list) = &attribute.meta else { return };
        self.tokens(list.tokens.clone());
        for token in list.tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let line = literal.span().start().line;
            let text = literal.to_string();
            if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"'))
                && path.segments.len() > 1
            {
                let segments = path.segments.iter().map(|s| s.ident.to_string()).collect();
                self.add(segments, line, Kind::Path);
            }
        }
    }
}
