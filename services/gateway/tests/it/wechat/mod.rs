//! Tests of what people in WeChat are answered, of pushes that are passed on, and of those that are
//! not acted on.

mod answers;
mod faults;
mod forwarding;
mod page_codes;
mod tags;
mod words;
