//! The cache inside one process.
/// Being built.
pub struct MemoryCache;
