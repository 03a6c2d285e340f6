//! Libraries of the harness that a program loads before its own, compiled from C when they are
//! needed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a source into a shared library in this folder.
pub(crate) fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let code = folder.join(name).with_extension("c");
    let library = folder.join(name).with_extension("so");
    std::fs::write(&code, source).expect("a source can be written");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(&code);
    let output = compiler
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("cc, which ./tests/run tools installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
