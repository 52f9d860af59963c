//! Variables by name, with their problems collected.

use std::{str::FromStr, time::Duration};

use super::{ConfigError, Problem};

/// Reads variables; one that is empty counts as unset.
pub(super) struct Vars<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl<'a> Vars<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// Notes that a variable is missing or wrong.
    pub(super) fn problem(&mut self, name: &str, text: &str) {
        self.problems.push(Problem { name: name.to_owned(), text: text.to_owned() });
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn parsed<T: FromStr>(&mut self, name: &str, default: &str, expected: &str) -> T {
        let value = self.text(name, default);
        let parsed = value.parse().ok();
        parsed.unwrap_or_else(|| {
            self.problem(name, &format!("must be {expected}"));
            default.parse().ok().expect("the default can be read")
        })
    }

    /// Such as `30s` or `15m`.
    pub(super) fn duration(&mut self, name: &str, default: &str) -> Duration {
        let value = self.text(name, default);
        humantime::parse_duration(&value).unwrap_or_else(|_| {
            self.problem(name, "must be a duration such as 30s or 15m");
            humantime::parse_duration(default).expect("the default can be read")
        })
    }

    /// One of these words; the first is the default.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> T {
        let (_, default) = choices[0];
        let Some(value) = self.optional(name) else { return default };
        let found = choices.iter().find(|(word, _)| *word == value);
        found.map_or_else(
            || {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                self.problem(name, &format!("must be one of {}", words.join(", ")));
                default
            },
            |(_, choice)| *choice,
        )
    }

    /// An http(s) address without a slash at its end.
    pub(super) fn url(&mut self, name: &str, default: &str) -> String {
        let value = self.text(name, default);
        let is_http = is_http_url(&value);
        if !is_http {
            self.problem(name, "must be an http(s) URL that ends in /v1");
        }
        value.trim_end_matches('/').to_owned()
    }

    /// Origins, comma-separated: scheme, host and port and nothing else.
    pub(super) fn origins(&mut self, name: &str) -> Vec<String> {
        let list = self.optional(name).unwrap_or_default();
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let (origins, others): (Vec<&str>, Vec<&str>) =
            origins.partition(|origin| is_origin(origin));
        if !others.is_empty() {
            self.problem(name, "must be origins such as https://app.example.com");
        }
        origins.into_iter().map(str::to_owned).collect()
    }

    /// A text with each `${NAME}` in it replaced by the variable's value, or what is wrong with it.
    pub(super) fn filled(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            filled.push_str(before);
            let (name, behind) = behind.split_once('}').ok_or("has a ${ without its }")?;
            let value = self.optional(name).ok_or_else(|| {
                format!("needs the variable {}, which is not set", name.escape_debug())
            })?;
            filled.push_str(&value);
            rest = behind;
        }
        filled.push_str(rest);
        if filled.contains('\0') {
            return Err("contains a NUL character".to_owned());
        }
        Ok(filled)
    }

    /// The configuration, if nothing was wrong.
    pub(super) fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(self.into_error()) }
    }

    pub(super) fn into_error(self) -> ConfigError {
        ConfigError(self.problems)
    }
}

fn split_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))
}

pub(super) fn is_http_url(url: &str) -> bool {
    split_scheme(url).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn is_origin(origin: &str) -> bool {
    split_scheme(origin).is_some_and(|host| {
        !host.is_empty()
            && !host.contains(['/', '?', '#', '@', '*'])
            && host.bytes().all(|byte| byte.is_ascii_graphic())
    })
}
