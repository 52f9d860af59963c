//! `OPENAI_PROFILE` and `[model_server]`: what the model's server takes.

use crate::upstream::profile::{Profile, Server};

use super::{ModelApi, file::ModelServerFile, vars::Vars};

/// What is known of the server, changed as the operator says.
pub(super) fn profile(
    vars: &mut Vars<'_>,
    base_url: &str,
    api: ModelApi,
    file: &ModelServerFile,
) -> Profile {
    let named = vars.choice(
        "OPENAI_PROFILE",
        &[
            ("auto", None),
            ("openai", Some(Server::Openai)),
            ("azure", Some(Server::Azure)),
            ("vllm", Some(Server::Vllm)),
            ("llama_cpp", Some(Server::LlamaCpp)),
            ("ollama", Some(Server::Ollama)),
            ("openrouter", Some(Server::Openrouter)),
            ("compatible", Some(Server::Compatible)),
        ],
    );
    let server = named.or(file.profile).unwrap_or_else(|| Server::of_url(base_url));
    if server == Server::Azure {
        check_azure(vars, base_url, api);
    }
    let reserved = Profile::reserved(&file.extra_body);
    if !reserved.is_empty() {
        let what = format!("model_server.extra_body: the gateway makes {}", reserved.join(", "));
        vars.problem("gateway.toml", &what);
    }
    let known = Profile::of(server);
    Profile {
        key_header: file.key_header.unwrap_or(known.key_header),
        include_usage: file.include_usage.unwrap_or(known.include_usage),
        instructions_role: file.instructions_role.unwrap_or(known.instructions_role),
        token_limit: file.token_limit.unwrap_or(known.token_limit),
        fetches_images: file.fetches_images.unwrap_or(known.fetches_images),
        max_output_tokens: file.max_output_tokens.map(Into::into),
        extra_body: file.extra_body.clone(),
        ..known
    }
}

/// Azure's older addresses name a deployment and need a version; with anything missing it answers no
/// more than that there is no such resource.
fn check_azure(vars: &mut Vars<'_>, base_url: &str, api: ModelApi) {
    let (path, query) = base_url.split_once('?').unwrap_or((base_url, ""));
    if !path.contains("/deployments/") {
        return;
    }
    if !query.split('&').any(|pair| pair.starts_with("api-version=")) {
        vars.problem("OPENAI_BASE_URL", "a deployment's address needs ?api-version=…");
    }
    if api == ModelApi::Responses {
        vars.problem(
            "OPENAI_BASE_URL",
            "a deployment has no Responses API: use …/openai/v1, or OPENAI_API=chat_completions",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::ConfigError,
        upstream::profile::{InstructionsRole, KeyHeader, TokenLimit},
    };

    const DEPLOYMENT: &str = "https://r.openai.azure.com/openai/deployments/d";

    fn read(
        named: Option<&str>,
        base_url: &str,
        api: ModelApi,
        file: &str,
    ) -> Result<Profile, ConfigError> {
        let lookup = |name: &str| named.filter(|_| name == "OPENAI_PROFILE").map(str::to_owned);
        let mut vars = Vars::new(&lookup);
        let profile = profile(&mut vars, base_url, api, &toml::from_str(file).unwrap());
        vars.finish(profile)
    }

    #[test]
    fn the_variable_goes_before_the_file_and_the_file_before_the_address() {
        let server = |named, base_url, file| {
            read(named, base_url, ModelApi::ChatCompletions, file).unwrap().server
        };
        let vllm = "profile = \"vllm\"";

        assert_eq!(server(None, "http://ollama:11434/v1", ""), Server::Ollama);
        assert_eq!(server(None, "http://ollama:11434/v1", vllm), Server::Vllm);
        assert_eq!(server(Some("llama_cpp"), "http://h/v1", vllm), Server::LlamaCpp);
        assert_eq!(server(Some("auto"), "http://h/v1", vllm), Server::Vllm);
        assert!(read(Some("gpt"), "http://h/v1", ModelApi::Responses, "").is_err());
    }

    #[test]
    fn each_member_can_be_changed() {
        let file = r#"
            key_header = "bearer"
            include_usage = false
            instructions_role = "developer"
            token_limit = "max_tokens"
            fetches_images = false
            max_output_tokens = 64
            extra_body = { temperature = 0.5 }
        "#;

        let profile = read(Some("azure"), "http://h/v1", ModelApi::Responses, file).unwrap();

        assert_eq!(profile.key_header, KeyHeader::Bearer);
        assert_eq!(profile.instructions_role, InstructionsRole::Developer);
        assert_eq!(profile.token_limit, TokenLimit::MaxTokens);
        assert!(!profile.include_usage && !profile.fetches_images && profile.keeps_answers);
        assert_eq!(profile.max_output_tokens, Some(64));
        assert_eq!(profile.extra_body["temperature"], 0.5);
    }

    #[test]
    fn what_contradicts_the_gateway_or_azure_is_a_problem() {
        let problem = |base_url: &str, api, file| {
            let problems = read(None, base_url, api, file).unwrap_err().0;
            problems.into_iter().map(|problem| problem.name).collect::<Vec<_>>().join(" ")
        };
        let dated = format!("{DEPLOYMENT}?api-version=2024-10-21");

        assert!(read(None, &dated, ModelApi::ChatCompletions, "").is_ok());
        assert_eq!(problem(&dated, ModelApi::Responses, ""), "OPENAI_BASE_URL");
        assert_eq!(problem(DEPLOYMENT, ModelApi::ChatCompletions, ""), "OPENAI_BASE_URL");
        let own = "extra_body = { stream = false }";
        assert_eq!(problem("http://h/v1", ModelApi::Responses, own), "gateway.toml");
    }
}
