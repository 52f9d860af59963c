//! Where variables come from: the environment, or files that it names.
//!
//! Any variable may stand in a file instead, whose path `NAME_FILE` says: so do the secrets that Docker
//! and Kubernetes mount, and a process's environment is more easily seen than a file.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path};

use super::{ConfigError, Problem};

/// Looks variables up, and in files where these are named.
pub(super) struct Sources<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// By the variable: one may be asked for more than once.
    problems: RefCell<BTreeMap<String, String>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(
        lookup: &'a dyn Fn(&str) -> Option<String>,
        read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    ) -> Self {
        Self { lookup, read_file, problems: RefCell::default() }
    }

    /// A variable's value. The end of the file's last line is no part of it.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let set = |name: &str| (self.lookup)(name).filter(|value| !value.trim().is_empty());
        let file = format!("{name}_FILE");
        match (set(name), set(&file)) {
            (value, None) => value,
            (Some(value), Some(_)) => {
                self.problem(file, format!("is set, and {name} as well: take one of them away"));
                Some(value)
            }
            (None, Some(path)) => match (self.read_file)(Path::new(path.trim())) {
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => {
                    self.problem(file, format!("{path} cannot be read: {error}"));
                    None
                }
            },
        }
    }

    fn problem(&self, name: String, text: String) {
        self.problems.borrow_mut().insert(name, text);
    }

    /// What was made of the variables, if nothing was wrong with their files: those problems come
    /// first, since others may follow from them.
    pub(super) fn finish<T>(self, read: Result<T, ConfigError>) -> Result<T, ConfigError> {
        let problems = self.problems.into_inner().into_iter();
        let mut problems: Vec<Problem> =
            problems.map(|(name, text)| Problem { name, text }).collect();
        match read {
            Ok(read) if problems.is_empty() => Ok(read),
            Ok(_) => Err(ConfigError(problems)),
            Err(ConfigError(others)) => {
                problems.extend(others);
                Err(ConfigError(problems))
            }
        }
    }
}
