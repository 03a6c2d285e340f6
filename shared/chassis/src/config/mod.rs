//! Layered configuration; being built.
