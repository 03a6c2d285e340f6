//! Templates of an account: its own list as WeChat has it, the texts of their fields, and additions
//! from the public library. The choice is a part of the account's settings.

mod choice;
mod library;
mod list;
mod mapping;
mod test;

use crate::http::openapi::Routes;

pub(super) fn routes() -> Routes {
    list::routes()
        .merge(mapping::routes())
        .merge(library::routes())
        .merge(choice::routes())
        .merge(test::routes())
}
