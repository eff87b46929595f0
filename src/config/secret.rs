//! Where secrets are kept: never in the configuration itself.

use std::fmt;
use std::path::{Path, PathBuf};

use super::toml_file::Section;
use crate::diagnostic::{Located, Problem};

/// The place of a secret. It is read at each use, so that a secret can be changed while the daemon
/// runs; nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// A file that holds it.
    File(PathBuf),
    /// A credential that systemd gives the service (`LoadCredential=` of its unit), by name.
    Credential(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => path.display().fmt(f),
            SecretSource::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

impl SecretSource {
    /// Reads `KEY_file` or `KEY_credential` of a section, whichever is there. A path starts at
    /// `folder`.
    pub(super) fn of(section: &mut Section<'_>, key: &str, folder: &Path) -> Option<Self> {
        let keys = [&*format!("{key}_file"), &*format!("{key}_credential")];
        Self::by_keys(section, keys, folder).map(|(_, source)| source)
    }

    /// Reads a key that names a file, or one that names a credential; with its place.
    pub(super) fn by_keys(
        section: &mut Section<'_>,
        [file_key, credential_key]: [&str; 2],
        folder: &Path,
    ) -> Option<(Located, Self)> {
        let file = section.text(file_key);
        let credential = section.text(credential_key);
        if let (Some(_), Some(second)) = (&file, &credential) {
            section.error(
                second.span.clone(),
                format!("{file_key} and {credential_key} both say where the secret is"),
            );
        }
        if let Some(file) = file {
            if file.text.trim().is_empty() {
                section.error(file.span, format!("{file_key} is empty"));
                return None;
            }
            let source = SecretSource::File(folder.join(&file.text));
            return Some((file, source));
        }
        let name = credential?;
        if !is_credential_name(&name.text) {
            section.report(
                Problem::error(
                    section.file(),
                    name.span.clone(),
                    format!("{:?} is no name of a credential", name.text),
                )
                .with_hint("write the name that LoadCredential= gives it, not a path"),
            );
            return None;
        }
        let source = SecretSource::Credential(name.text.clone());
        Some((name, source))
    }
}

/// As systemd takes them: the name of a file in one folder.
fn is_credential_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
}
