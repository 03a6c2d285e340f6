//! Nothing by itself: the tests of the whole are in `tests/`.
