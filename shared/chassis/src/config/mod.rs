//! Configuration in layers: compiled-in defaults under a file under the environment.
//!
//! ```
//! use paihao_chassis::config::{Layers, render};
//! #[derive(serde::Deserialize, serde::Serialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config { listen: String }
//!
//! let environment = [("PAIHAO__LISTEN".to_owned(), "0.0.0.0:80".to_owned())];
//! let layers = Layers::from_defaults("listen = '127.0.0.1:8080'").environment(environment);
//! let config: Config = layers.read()?;
//! assert_eq!(render(&config), "listen = \"0.0.0.0:80\"\n");
//! # Ok::<(), paihao_chassis::config::ConfigError>(())
//! ```

mod layers;
mod problem;
mod read_files;
mod secret;
mod tree;

pub use layers::{ENV_PREFIX, Layers};
pub use problem::{ConfigError, ConfigProblem, ConfigProblems};
pub use read_files::{ReadFiles, read_file};
pub use secret::SecretText;

use serde::Serialize;

/// Renders a configuration as TOML with every secret masked, for `config print`.
///
/// # Panics
/// If the type cannot be written as TOML, which its own test would show.
pub fn render<T: Serialize>(config: &T) -> String {
    toml::to_string_pretty(config).expect("a configuration that was read from TOML can be written")
}
