//! Builds the object that replaces the system's random numbers in the command.

use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/seeded_entropy.c";

fn main() {
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-changed=build.rs");
    // The standard library asks this function on Linux only.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let folder = std::env::var_os("OUT_DIR").expect("cargo names a folder");
    let object = PathBuf::from(folder).join("seeded_entropy.o");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled =
        Command::new(compiler).args(["-c", "-O2", "-fPIC", SOURCE, "-o"]).arg(&object).status();
    assert!(compiled.is_ok_and(|status| status.success()), "cannot compile {SOURCE}");
    println!("cargo:rustc-link-arg-bins={}", object.display());
}
