//! Small questions to a syntax tree.

use proc_macro2::{Ident, TokenStream, TokenTree};
use std::path::Path;
use syn::{Attribute, ImplItem, Item, Meta};

/// Parses a source file.
pub fn parse(path: &Path) -> syn::File {
    let text = crate::files::read_file(path);
    syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Says if one of the attributes is `#[cfg(test)]`, alone or within `all(…)`.
pub fn only_in_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words = idents_of(list.tokens.clone());
            words.iter().any(|w| w == "test") && !words.iter().any(|w| w == "not" || w == "any")
        }
        _ => false,
    })
}

/// Attributes of an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::ForeignMod(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::TraitAlias(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// Attributes of an item within an `impl`.
pub fn impl_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(i) => &i.attrs,
        ImplItem::Fn(i) => &i.attrs,
        ImplItem::Type(i) => &i.attrs,
        ImplItem::Macro(i) => &i.attrs,
        _ => &[],
    }
}

/// Name that an item declares, if it has one; `use` and `impl` have none.
pub fn name(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(i) => Some(&i.ident),
        Item::Enum(i) => Some(&i.ident),
        Item::Fn(i) => Some(&i.sig.ident),
        Item::Macro(i) => i.ident.as_ref(),
        Item::Static(i) => Some(&i.ident),
        Item::Struct(i) => Some(&i.ident),
        Item::Trait(i) => Some(&i.ident),
        Item::TraitAlias(i) => Some(&i.ident),
        Item::Type(i) => Some(&i.ident),
        Item::Union(i) => Some(&i.ident),
        _ => None,
    }
}

/// All identifiers of a source file outside of comments, with where they stand; those of
/// `#[cfg(test)]` items included.
pub fn idents(text: &str) -> Vec<Ident> {
    idents_of(text.parse().unwrap_or_else(|e| panic!("no Rust: {e}")))
}

fn idents_of(tokens: TokenStream) -> Vec<Ident> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident),
            TokenTree::Group(group) => found.extend(idents_of(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// Attributes `#[expect(…)]` and `#![expect(…)]` of a source file, wherever they stand: the line,
/// and the words between the parentheses.
pub fn allows(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    collect_allows(text.parse().unwrap_or_else(|e| panic!("no Rust: {e}")), &mut found);
    found
}

fn collect_allows(tokens: TokenStream, found: &mut Vec<(usize, Vec<String>)>) {
    let mut hash = false;
    for token in tokens {
        let TokenTree::Group(group) = token else {
            let mark = |mark| matches!(&token, TokenTree::Punct(p) if p.as_char() == mark);
            hash = mark('#') || hash && mark('!');
            continue;
        };
        let words = idents_of(group.stream());
        match words.first() {
            Some(first) if hash && first == "allow" => {
                let words = words.iter().skip(1).map(Ident::to_string).collect();
                found.push((first.span().start().line, words));
            }
            _ => collect_allows(group.stream(), found),
        }
        hash = false;
    }
}
