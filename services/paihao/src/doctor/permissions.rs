//! Checks of who on this machine may read the files that hold secrets and people.

use super::report::Finding;
use super::{finding, findings};
use crate::config::{Config, LedgerKind};
use crate::operator_key;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Permission bits of everybody but the owner and the group, which somebody chose.
const OTHERS: u32 = 0o007;
const OTHERS_WRITE: u32 = 0o002;
/// In a folder with this bit, only a file's owner removes or renames it.
const STICKY: u32 = 0o1000;

/// Text that stands for a secret in a rendered configuration.
const HIDDEN: &str = "***";

/// Checks the configuration file at `file`, the files of its secrets, and the ledger's file.
pub(super) fn check(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let secrets = SecretPlaces::of(config);
    if let Some(file) = file {
        let folder = file.parent().unwrap_or(Path::new("."));
        let files = secrets.files.iter().map(|path| folder.join(path));
        let own = secrets.is_inline.then(|| file.to_owned());
        let open: Vec<_> = own.into_iter().chain(files).filter_map(|path| open_to(&path)).collect();
        findings.extend(
            open.into_iter().map(|detail| {
                finding("configuration", findings::SECRET_READABLE_BY_OTHERS, detail)
            }),
        );
    }
    if config.ledger.kind == LedgerKind::Sqlite {
        let path = &config.ledger.file;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let open = open_to(path).or_else(|| writable_folder(folder.unwrap_or(Path::new("."))));
        findings.extend(
            open.map(|detail| finding("ledger", findings::FILE_READABLE_BY_OTHERS, detail)),
        );
    }
    let key = operator_key::key_file(config).and_then(|path| open_to(&path));
    findings
        .extend(key.map(|detail| finding("ledger", findings::SECRET_READABLE_BY_OTHERS, detail)));
    findings
}

/// Path and mode of a file that others may read or write.
fn open_to(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| described(path, mode))
}

/// Path and mode of a folder in which others may put another file in a file's place.
fn writable_folder(folder: &Path) -> Option<String> {
    let mode = std::fs::metadata(folder).ok()?.permissions().mode();
    (mode & OTHERS_WRITE != 0 && mode & STICKY == 0).then(|| described(folder, mode))
}

fn described(path: &Path, mode: u32) -> String {
    format!("{}, {:04o}", path.display(), mode & 0o7777)
}

/// Places of the secrets of a rendered configuration.
#[derive(Default)]
struct SecretPlaces {
    /// True if one stands in the configuration itself.
    is_inline: bool,
    /// Files that are named for others.
    files: Vec<PathBuf>,
}

impl SecretPlaces {
    fn of(config: &Config) -> SecretPlaces {
        let mut places = SecretPlaces::default();
        places.collect(&serde_json::to_value(config).unwrap_or_default());
        places
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.is_inline |= text == HIDDEN,
            Value::Array(values) => values.iter().for_each(|value| self.collect(value)),
            Value::Object(table) => match (table.len(), table.get("file")) {
                (1, Some(Value::String(path))) => self.files.push(path.into()),
                _ => table.values().for_each(|value| self.collect(value)),
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    /// Findings for a configuration with a secret inside, one in a file, and a ledger, of these
    /// modes; and its folder's.
    fn codes_for([own, secret, ledger, folder]: [u32; 4]) -> Vec<&'static str> {
        let at = tempfile::tempdir().unwrap();
        let path = |name: &str| at.path().join(name);
        let text = format!(
            "ledger.kind = 'sqlite'\nledger.file = '{}'\n\
             [accounts.shop]\nappid = 'wx0123456789abcdef'\nsecret = {{ file = 'secret' }}\n\
             callback_token = 'token1'\nmode = 'plain'\n",
            path("ledger.sqlite").display()
        );
        for (name, text, mode) in [
            ("paihao.toml", &*text, own),
            ("secret", "0123", secret),
            ("ledger.sqlite", "", ledger),
        ] {
            write(path(name), text).unwrap();
            set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
        }
        set_permissions(at.path(), Permissions::from_mode(folder)).unwrap();
        let file = path("paihao.toml");
        let config = Config::read(Some(&file), []).unwrap();
        check(&config, Some(&file)).iter().map(|finding| finding.kind.code).collect()
    }

    #[test]
    fn what_others_may_read_is_found_and_what_the_group_may_read_is_not() {
        let (secret, ledger) = ("secret_readable_by_others", "file_readable_by_others");
        for (modes, expected) in [
            ([0o600, 0o600, 0o600, 0o700], vec![]),
            ([0o640, 0o440, 0o660, 0o770], vec![]),
            ([0o644, 0o600, 0o600, 0o700], vec![secret]),
            ([0o600, 0o604, 0o600, 0o700], vec![secret]),
            ([0o644, 0o644, 0o644, 0o755], vec![secret, secret, ledger]),
            ([0o600, 0o600, 0o602, 0o700], vec![ledger]),
            ([0o600, 0o600, 0o600, 0o777], vec![ledger]),
            ([0o600, 0o600, 0o600, 0o1777], vec![]),
        ] {
            assert_eq!(codes_for(modes), expected, "{modes:?}");
        }
    }

    #[test]
    fn a_configuration_without_secrets_may_be_read_by_all() {
        let config = Config::from_text("in a test", "stop.lame_duck_seconds = 9").unwrap();
        let places = SecretPlaces::of(&config);
        assert!(!places.is_inline && places.files.is_empty());
    }
}
