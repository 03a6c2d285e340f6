//! Names that no type, function, constant or module may have.
//!
//! `GLOSSARY.md` has the words to use instead.

use crate::syntax::name;
use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, TraitItem};

/// Types: interrogatives, lone participles and metaphors.
const TYPES: [&str; 68] = [
    "AsSeen",
    "Ask",
    "Asked",
    "Asker",
    "Basis",
    "Busy",
    "Desk",
    "Did",
    "Door",
    "Fate",
    "Fates",
    "Followed",
    "Gates",
    "Handed",
    "Heard",
    "Hearing",
    "Held",
    "How",
    "Known",
    "Lasting",
    "Learned",
    "Letter",
    "Letters",
    "Manner",
    "Meant",
    "Milestone",
    "Misled",
    "Move",
    "Nothing",
    "Now",
    "Of",
    "Opens",
    "Passed",
    "Place",
    "Places",
    "Remembered",
    "Rest",
    "Running",
    "Said",
    "Saying",
    "Seen",
    "Shelf",
    "Shown",
    "Sitting",
    "SiteBook",
    "Spread",
    "Stands",
    "Tellable",
    "Telling",
    "Told",
    "Trail",
    "Tried",
    "Trying",
    "Turns",
    "Unspeakable",
    "Untold",
    "Verdict",
    "Via",
    "Wanted",
    "Ward",
    "What",
    "When",
    "Where",
    "Whether",
    "Which",
    "Who",
    "Why",
    "Wish",
];

/// Endings of types: a response is a `…View`.
const TYPE_ENDINGS: [&str; 1] = ["Seen"];

/// Functions and methods.
const FUNCTIONS: [&str; 32] = [
    "adopt",
    "breath",
    "did",
    "happen",
    "handed",
    "hear",
    "heard",
    "how",
    "learned",
    "letters",
    "meant",
    "outlook",
    "remembered",
    "said",
    "saying",
    "says",
    "seen",
    "shown",
    "sound",
    "stands",
    "told",
    "unsound",
    "untold",
    "wanted",
    "what",
    "where_",
    "which",
    "who",
    "whose",
    "why",
    "wish",
    "worth",
];

/// Constants, whole.
const CONSTANTS: [&str; 12] = [
    "AGAIN", "APART", "AT_ONCE", "BEAT", "BREATH", "ENOUGH", "LONG", "LOOK", "MOST", "PATIENCE",
    "REST", "SOON",
];

/// Words that stand in no constant's name.
const CONSTANT_PARTS: [&str; 4] = ["BEAT", "BREATH", "MOST", "PATIENCE"];

/// Modules.
const MODULES: [&str; 25] = [
    "allowance",
    "chances",
    "chooser",
    "contradictions",
    "described",
    "doors",
    "ending",
    "fates",
    "former",
    "handed",
    "hear",
    "historian",
    "holders",
    "letters",
    "life",
    "milestones",
    "moves",
    "pieces",
    "say",
    "says",
    "screens",
    "turns",
    "unsound",
    "upkeep",
    "verdict",
];

/// One barred name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// Line in the file.
    pub line: usize,
    /// `type`, `fn`, `const` or `mod`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

/// Declarations of a source file that have a barred name.
pub fn barred(file: &syn::File) -> Vec<Barred> {
    let mut collector = Collector::default();
    collector.visit_file(file);
    collector.found
}

#[derive(Default)]
struct Collector {
    found: Vec<Barred>,
}

impl Collector {
    fn add(&mut self, kind: &'static str, name: &Ident, barred: bool) {
        if barred {
            let line = name.span().start().line;
            self.found.push(Barred { line, kind, name: name.to_string() });
        }
    }

    fn type_(&mut self, name: &Ident) {
        let text = name.to_string();
        let ending = TYPE_ENDINGS.iter().any(|ending| text.ends_with(ending));
        self.add("type", name, ending || TYPES.contains(&&*text));
    }

    fn function(&mut self, name: &Ident) {
        self.add("fn", name, FUNCTIONS.contains(&&*name.to_string()));
    }

    fn constant(&mut self, name: &Ident) {
        let text = name.to_string();
        let part = text.split('_').any(|part| CONSTANT_PARTS.contains(&part));
        self.add("const", name, part || CONSTANTS.contains(&&*text));
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        match (item, name(item)) {
            (Item::Fn(_), Some(name)) => self.function(name),
            (Item::Const(_) | Item::Static(_), Some(name)) => self.constant(name),
            (Item::Macro(_), _) | (_, None) => {}
            (_, Some(name)) => self.type_(name),
        }
        if let Item::Mod(module) = item {
            let name = &module.ident;
            self.add("mod", name, MODULES.contains(&&*name.to_string()));
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(function) => self.function(&function.sig.ident),
            ImplItem::Const(constant) => self.constant(&constant.ident),
            ImplItem::Type(associated) => self.type_(&associated.ident),
            _ => {}
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Fn(function) => self.function(&function.sig.ident),
            TraitItem::Const(constant) => self.constant(&constant.ident),
            TraitItem::Type(associated) => self.type_(&associated.ident),
            _ => {}
        }
        visit::visit_trait_item(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_judged_and_mentions_are_not() {
        let text = "
            mod holders {}
            struct Told { which: u8 }
            struct TicketSeen;
            const SUBMIT_PATIENCE: u8 = 1;
            impl Fine { fn hear(&self) { let told = self.told; other::wish(told) } }
            trait T { fn why(&self); }";
        let found = barred(&syn::parse_file(text).unwrap());
        let names: Vec<_> = found.iter().map(|b| (b.line, b.kind, b.name.as_str())).collect();
        assert_eq!(
            names,
            [
                (2, "mod", "holders"),
                (3, "type", "Told"),
                (4, "type", "TicketSeen"),
                (5, "const", "SUBMIT_PATIENCE"),
                (6, "fn", "hear"),
                (7, "fn", "why"),
            ]
        );
    }
}
