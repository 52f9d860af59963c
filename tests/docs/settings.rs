//! `.env.example` and the README name the variables that the code reads, and no others.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use chatkit_gateway::config::{Config, ConfigError, ConfigFile, LogConfig};

use super::page::Page;

/// What `.env.example` names, with its value; most are commented out.
fn example() -> BTreeMap<String, String> {
    let text = Page::read(".env.example").text;
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let lines = text.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    Config::from_vars(lookup, |_| Err(std::io::ErrorKind::NotFound.into()))
}

/// The variables that the code asks for.
fn asked_for() -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    // Once with nothing, once with a key set, since some are asked for in one mode only.
    for jwks in [None, Some("https://app.example/api/auth/jwks")] {
        let _ = read(|name| {
            names.borrow_mut().insert(name.to_owned());
            jwks.filter(|_| name == "BETTER_AUTH_JWKS_URL").map(str::to_owned)
        });
    }
    let _ = LogConfig::from_vars(|name| {
        names.borrow_mut().insert(name.to_owned());
        None
    });
    let mut names = names.into_inner();
    // Said once, for all of them.
    names.retain(|name| !name.ends_with("_FILE"));
    names
}

#[test]
fn the_example_names_every_variable_that_is_read_and_no_other() {
    let named: BTreeSet<String> = example().into_keys().collect();

    assert_eq!(named, asked_for());
}

#[test]
fn the_readme_has_every_variable_in_its_table() {
    let readme = Page::read("README.md").text;

    for name in asked_for() {
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the table");
    }
}

#[test]
fn the_example_is_a_configuration_once_its_blanks_are_filled() {
    let example = example();
    let text = Page::read(".env.example").text;
    let blanks: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_suffix('=')).collect();
    assert_eq!(blanks.iter().filter(|name| !name.starts_with('#')).count(), 3);

    let config = read(|name| {
        if !blanks.contains(name) {
            return example.get(name).cloned();
        }
        Some(match name {
            "BETTER_AUTH_JWKS_URL" => "https://app.example/api/auth/jwks".to_owned(),
            _ => "a-value-of-at-least-thirty-two-bytes".to_owned(),
        })
    });

    assert!(config.is_ok(), "{}", config.unwrap_err());
}

#[test]
fn the_values_of_the_example_are_the_defaults() {
    let needed = |name: &str| {
        let value = "a-value-of-at-least-thirty-two-bytes";
        matches!(name, "OPENAI_API_KEY" | "BETTER_AUTH_SECRET").then(|| value.to_owned())
    };
    let example = example();

    let with_example = read(|name| {
        let value = example.get(name).filter(|value| !value.is_empty()).cloned();
        value.or_else(|| needed(name))
    });
    let without = read(needed);

    assert_eq!(format!("{:?}", with_example.unwrap()), format!("{:?}", without.unwrap()));
}

#[test]
fn every_gateway_toml_of_the_documentation_is_one() {
    const TABLES: [&str; 4] = ["[mcp", "[agent]", "[[composer_tools]]", "[model_server]"];
    for (page, count) in [("README.md", 1), ("docs/tools.md", 3), ("docs/model-servers.md", 1)] {
        let text = Page::read(page).text;
        let blocks = text.split("```toml\n").skip(1);
        let files: Vec<&str> = blocks.map(|block| block.split("```").next().unwrap()).collect();
        let has_table = |file: &&&str| TABLES.iter().any(|table| file.contains(table));
        let files: Vec<&&str> = files.iter().filter(has_table).collect();
        assert_eq!(files.len(), count, "{page}");
        for file in files {
            let lookup = |name: &str| match name {
                "BETTER_AUTH_SECRET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
                "OPENAI_API_KEY" | "SEARCH_TOKEN" | "DOCS_TOKEN" => Some("secret".to_owned()),
                _ => None,
            };

            let config = Config::from_vars(lookup, |_| Ok((*file).to_string()));

            assert_ne!(config.unwrap().file, ConfigFile::default(), "{page}");
        }
    }
}
