use std::{collections::BTreeMap, io, path::Path};

use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    read_with_file(vars, None)
}

fn read_with_file(vars: &[(&str, &str)], file: Option<&str>) -> Result<Config, Vec<String>> {
    let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
    let file = file.map(str::to_owned);
    Config::from_vars(
        |name| vars.get(name).map(|value| (*value).to_owned()),
        |_: &Path| file.clone().ok_or_else(|| io::ErrorKind::NotFound.into()),
    )
    .map_err(|error| error.0.into_iter().map(|problem| problem.name).collect())
}

const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "0123456789abcdef0123456789abcdef");
const KEY: (&str, &str) = ("OPENAI_API_KEY", "sk-test");

#[test]
fn two_variables_are_enough() {
    let config = read(&[SECRET, KEY]).unwrap();

    assert_eq!(config.bind_addr.to_string(), "127.0.0.1:8000");
    assert_eq!(config.database_url.as_str(), "sqlite://chatkit.db");
    assert_eq!(config.model.base_url, OPENAI_BASE_URL);
    assert_eq!(config.drain, Duration::from_secs(25));
}

#[test]
fn a_file_that_cannot_be_read_is_refused_without_the_line_that_may_hold_a_secret() {
    let file = "[[mcp.servers]]\nname = \"a\"\nheaders = { Authorization = \"Bearer s3cret\n";
    let vars = BTreeMap::from([SECRET, KEY]);

    let error = Config::from_vars(
        |name| vars.get(name).map(|value| (*value).to_owned()),
        |_: &Path| Ok(file.to_owned()),
    );

    let text = error.unwrap_err().to_string();
    assert!(text.contains("gateway.toml, line 3: "), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn a_secret_in_a_wrong_place_of_the_file_is_not_printed() {
    for (file, reason) in [
        ("[[mcp.servers]]\nname = \"a\"\nheaders = \"Bearer s3cret\"", "expected a map"),
        ("[[mcp.servers]]\nname = \"a\"\nargs = \"s3cret, expected\"", "expected a sequence"),
        ("[agent]\nkind = \"s3cret\"", "expected `model` or `remote`"),
        ("[agent]\nhistory_tokens = \"s3cret\"", "expected usize"),
    ] {
        let vars = BTreeMap::from([SECRET, KEY]);
        let error = Config::from_vars(
            |name| vars.get(name).map(|value| (*value).to_owned()),
            |_: &Path| Ok(file.to_owned()),
        );

        let text = error.unwrap_err().to_string();
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_variable_may_stand_in_a_file() {
    let read = |vars: &[(&str, &str)]| {
        let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
        Config::from_vars(
            |name| vars.get(name).map(|value| (*value).to_owned()),
            |path: &Path| match path.to_str() {
                Some("/run/secrets/key") => Ok("sk-from-a-file\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        )
    };
    let problems = |vars: &[(&str, &str)]| {
        let ConfigError(problems) = read(vars).unwrap_err();
        problems.into_iter().map(|problem| problem.name).collect::<Vec<_>>()
    };
    let file = ("OPENAI_API_KEY_FILE", "/run/secrets/key");

    let config = read(&[SECRET, file]).unwrap();
    assert_eq!(config.model.api_key.unwrap().expose(), "sk-from-a-file");

    assert_eq!(problems(&[SECRET, KEY, file]), ["OPENAI_API_KEY_FILE"]);
    let missing = ("OPENAI_API_KEY_FILE", "/nowhere");
    assert_eq!(problems(&[SECRET, missing]), ["OPENAI_API_KEY_FILE", "OPENAI_API_KEY"]);
}

#[test]
fn every_problem_is_named_at_once() {
    let problems = read(&[
        ("BIND_ADDR", "nowhere"),
        ("OPENAI_API", "telepathy"),
        ("CHATKIT_DRAIN", "soon"),
        ("CHATKIT_CORS_ORIGINS", "https://a.example/path"),
    ])
    .unwrap_err();

    for name in [
        "BETTER_AUTH",
        "BIND_ADDR",
        "OPENAI_API_KEY",
        "OPENAI_API",
        "CHATKIT_DRAIN",
        "CHATKIT_CORS_ORIGINS",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(name)), "{name}: {problems:?}");
    }
}

#[test]
fn no_secret_is_printed() {
    let config =
        read(&[SECRET, KEY, ("DATABASE_URL", "postgres://u:hunter2@localhost/chat")]).unwrap();

    let printed = format!("{config:?}");

    for secret in [SECRET.1, KEY.1, "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn redis_is_for_several_instances_and_so_not_for_sqlite() {
    let redis = ("REDIS_URL", "redis://:hunter2@localhost:6379");
    let postgres = ("DATABASE_URL", "postgres://localhost/chat");

    let config = read(&[SECRET, KEY, postgres, redis]).unwrap();
    assert!(config.redis_url.is_some());
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(read(&[SECRET, KEY, redis]).unwrap_err(), ["REDIS_URL"]);
    let wrong = ("REDIS_URL", "localhost");
    assert_eq!(read(&[SECRET, KEY, postgres, wrong]).unwrap_err(), ["REDIS_URL"]);
}

#[test]
fn only_the_responses_api_answers_in_the_background() {
    let background = ("OPENAI_BACKGROUND", "true");

    assert!(read(&[SECRET, KEY, background]).unwrap().model.background);
    assert!(!read(&[SECRET, KEY]).unwrap().model.background);
    let chat = ("OPENAI_API", "chat_completions");
    assert_eq!(read(&[SECRET, KEY, background, chat]).unwrap_err(), ["OPENAI_BACKGROUND"]);
}

#[test]
fn a_server_of_ones_own_needs_no_key() {
    assert!(read(&[SECRET, ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")]).is_ok());
}

#[test]
fn the_playground_is_on_by_itself_where_only_this_machine_can_reach_it() {
    let is_on = |vars: &[(&str, &str)]| {
        let vars: Vec<_> = [SECRET, KEY].iter().chain(vars).copied().collect();
        read(&vars).unwrap().playground
    };

    assert!(is_on(&[]));
    assert!(!is_on(&[("BIND_ADDR", "0.0.0.0:8000")]));
    assert!(is_on(&[("BIND_ADDR", "0.0.0.0:8000"), ("CHATKIT_PLAYGROUND", "on")]));
    assert!(!is_on(&[("CHATKIT_PLAYGROUND", "off")]));
}

#[test]
fn the_file_holds_instructions_and_models() {
    let text = "[agent]\ninstructions = \"You help with tasks.\"\nmodels = [\"a\", \"b\"]\n";

    let config = read_with_file(&[SECRET, KEY], Some(text)).unwrap();

    assert_eq!(config.file.agent.instructions.as_deref(), Some("You help with tasks."));
    let models: Vec<&str> = config.choices.models.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(models, ["a", "b"]);
    assert_eq!(read_with_file(&[SECRET, KEY], Some("[agnt]")).unwrap_err(), ["CHATKIT_CONFIG"]);
}

#[test]
fn the_file_holds_what_users_may_choose() {
    let text = r#"
        [agent]
        models = ["gpt-5", { id = "fast", model = "gpt-5-nano" }]

        [[composer_tools]]
        id = "draw"
        tools = ["image_generation"]
        only_when_chosen = true
    "#;

    let choices = read_with_file(&[SECRET, KEY], Some(text)).unwrap().choices;

    let models = choices.models.iter().map(|one| (one.id.as_str(), one.model.as_str()));
    assert_eq!(models.collect::<Vec<_>>(), [("gpt-5", "gpt-5"), ("fast", "gpt-5-nano")]);
    assert!(choices.tools[0].required && choices.tools[0].only_when_chosen);
}

#[test]
fn choices_that_are_double_or_do_nothing_are_problems() {
    let tool = |text: &str| format!("[[composer_tools]]\nid = \"a\"\n{text}\n");
    for file in [
        "[agent]\nmodels = [\"a\", { id = \"a\", model = \"b\" }]\n".to_owned(),
        "[agent]\nmodels = [\"\"]\n".to_owned(),
        tool("tools = []"),
        tool("tools = [\"x\"]\nrequired = false"),
        tool("tools = [\"x\"]") + &tool("tools = [\"x\"]"),
    ] {
        let problems = read_with_file(&[SECRET, KEY], Some(&file)).unwrap_err();
        assert_eq!(problems, ["gateway.toml"], "{file}");
    }
    let unknown = "[agent]\nmodels = [{ id = \"a\", modl = \"b\" }]\n";
    assert_eq!(read_with_file(&[SECRET, KEY], Some(unknown)).unwrap_err(), ["CHATKIT_CONFIG"]);
}

#[test]
fn only_the_responses_api_has_tools_of_the_providers() {
    let file = Some("[agent]\nhosted_tools = [{ type = \"web_search\" }]\n");
    let chat = ("OPENAI_API", "chat_completions");

    assert!(read_with_file(&[SECRET, KEY], file).is_ok());
    assert_eq!(read_with_file(&[SECRET, KEY, chat], file).unwrap_err(), ["gateway.toml"]);
}

#[test]
fn a_server_of_tools_that_is_not_complete_is_a_problem_and_its_secrets_are_not_printed() {
    let file = |value: &str| {
        format!(
            "[[mcp.servers]]\nname = \"a\"\nurl = \"https://a.example\"\n\
             headers = {{ Authorization = \"{value}\" }}\n"
        )
    };

    let problems = read_with_file(&[SECRET, KEY], Some(&file("Bearer ${TOKEN}"))).unwrap_err();
    assert_eq!(problems, ["gateway.toml, mcp.servers \"a\", headers.Authorization"]);
    let config = read_with_file(&[SECRET, KEY], Some(&file("Bearer hunter2"))).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_file_holds_tools_of_the_page_and_of_the_provider() {
    let text = r#"
        [agent]
        hosted_tools = [{ type = "image_generation", partial_images = 2 }]

        [[client_tools]]
        name = "get_selection"
        description = "What the user has selected."
        parameters = { type = "object", properties = { scope = { type = "string" } } }

        [[client_tools]]
        name = "reload"
        description = "Loads the page again."
    "#;

    let config = read_with_file(&[SECRET, KEY], Some(text)).unwrap();

    assert_eq!(config.hosted_tools[0].0["partial_images"], 2);
    let tools = &config.file.client_tools;
    assert_eq!(tools[0].parameters["properties"]["scope"]["type"], "string");
    assert_eq!(tools[1].parameters["type"], "object");
}
