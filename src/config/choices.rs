//! `models` and `[[composer_tools]]`, checked.

use std::collections::BTreeSet;

use crate::agent::{
    Choices,
    choices::{ComposerTool, ModelChoice},
};

use super::{
    file::{ComposerToolFile, ConfigFile, ModelFile, NamedModelFile},
    vars::Vars,
};

/// Reads what users may choose.
pub(super) fn choices(vars: &mut Vars<'_>, file: &ConfigFile) -> Choices {
    let models = file.agent.models.iter().map(model).collect::<Vec<_>>();
    let mut problem = |what: String| vars.problem("gateway.toml", &what);
    let mut ids = BTreeSet::new();
    for choice in &models {
        if choice.id.is_empty() || choice.model.is_empty() {
            problem("agent.models: a model has an empty name".to_owned());
        } else if !ids.insert(&choice.id) {
            problem(format!("agent.models: {:?} stands there twice", choice.id));
        }
    }
    let mut ids = BTreeSet::new();
    for ComposerToolFile { id, tools, required, only_when_chosen } in &file.composer_tools {
        if id.is_empty() {
            problem("composer_tools: an entry has an empty id".to_owned());
        } else if !ids.insert(id) {
            problem(format!("composer_tools {id:?} stands there twice"));
        }
        if tools.is_empty() {
            problem(format!("composer_tools {id:?} names no tools"));
        }
        if !required && !only_when_chosen {
            problem(format!(
                "composer_tools {id:?} changes nothing: set required or only_when_chosen"
            ));
        }
    }
    Choices { models, tools: file.composer_tools.iter().cloned().map(tool).collect() }
}

fn model(file: &ModelFile) -> ModelChoice {
    match file.clone() {
        ModelFile::Name(name) => ModelChoice { id: name.clone(), model: name },
        ModelFile::Named(NamedModelFile { id, model }) => ModelChoice { id, model },
    }
}

fn tool(file: ComposerToolFile) -> ComposerTool {
    let ComposerToolFile { id, tools, required, only_when_chosen } = file;
    ComposerTool { id, tools, required, only_when_chosen }
}
