//! `[[mcp.servers]]`, checked, with the variables that it names.

use std::{collections::HashSet, time::Duration};

use crate::tools::mcp_client::settings::{
    AllowedTools, Header, ServerSettings, TransportSettings, is_valid_name,
};

use super::{
    file::{Hidden, McpFile, McpServerFile},
    vars::{self, Vars},
};

/// The longest that a call may take: runs do not last longer by default.
const MAX_TIMEOUT_S: u64 = 600;

/// The servers, as far as nothing is wrong with them.
pub(super) fn tool_servers(vars: &mut Vars<'_>, file: &McpFile) -> Vec<ServerSettings> {
    let mut names = HashSet::new();
    let mut settings = Vec::new();
    for server in &file.servers {
        let mut entry = Entry { server, vars: &mut *vars };
        if !is_valid_name(&server.name) {
            entry.problem("name", "must be 1 to 24 letters, digits, - and single _ between them");
        } else if !names.insert(&server.name) {
            entry.problem("name", "is that of another server: give each its own");
        }
        settings.extend(entry.settings());
    }
    settings
}

/// One entry, and where its problems go.
struct Entry<'a, 'v> {
    server: &'a McpServerFile,
    vars: &'a mut Vars<'v>,
}

impl Entry<'_, '_> {
    fn problem(&mut self, key: &str, text: &str) {
        let name = format!("gateway.toml, mcp.servers {:?}, {key}", self.server.name);
        self.vars.problem(&name, text);
    }

    fn settings(&mut self) -> Option<ServerSettings> {
        let server = self.server;
        let transport = match (&server.url, &server.command) {
            (Some(url), None) => self.http(&url.0),
            (None, Some(command)) => self.process(command),
            _ => {
                self.problem("url", "give either a url or a command");
                None
            }
        };
        let timeout_s = server.timeout_s.unwrap_or(ServerSettings::DEFAULT_TIMEOUT.as_secs());
        if !(1..=MAX_TIMEOUT_S).contains(&timeout_s) {
            self.problem("timeout_s", "must be 1 to 600 seconds");
        }
        let allowed_tools = server.allowed_tools.clone().map(AllowedTools::new);
        Some(ServerSettings {
            allowed_tools: allowed_tools.unwrap_or_default(),
            timeout: Duration::from_secs(timeout_s),
            confirm: server.confirm,
            show: server.show,
            ..ServerSettings::new(server.name.clone(), transport?)
        })
    }

    fn http(&mut self, url: &str) -> Option<TransportSettings> {
        let server = self.server;
        if !server.args.is_empty() || !server.env.is_empty() {
            self.problem("url", "goes with headers; args and env are for a command");
        }
        let url = self.filled("url", url)?;
        if !vars::is_http_url(&url) {
            self.problem("url", "must be an http(s) URL");
            return None;
        }
        let mut headers = Vec::new();
        for (name, Hidden(value)) in &server.headers {
            let key = format!("headers.{name}");
            let Some(value) = self.filled(&key, value) else { continue };
            match Header::new(name, value) {
                Ok(header) => headers.push(header),
                Err(error) => self.problem(&key, &error.to_string()),
            }
        }
        Some(TransportSettings::Http { url, headers })
    }

    fn process(&mut self, command: &str) -> Option<TransportSettings> {
        let server = self.server;
        if !server.headers.is_empty() {
            self.problem("headers", "are for a url; a command has env");
        }
        if command.trim().is_empty() {
            self.problem("command", "names no program");
            return None;
        }
        let mut args = Vec::new();
        for Hidden(arg) in &server.args {
            args.extend(self.filled("args", arg));
        }
        let mut env = Vec::new();
        for (name, Hidden(value)) in &server.env {
            let key = format!("env.{name}");
            if name.is_empty() || name.contains(['=', '\0']) {
                self.problem(&key, "is no name of a variable");
            } else if let Some(value) = self.filled(&key, value) {
                env.push((name.clone(), value));
            }
        }
        Some(TransportSettings::Process { command: command.to_owned(), args, env })
    }

    /// A text with each `${NAME}` in it replaced by the variable's value.
    fn filled(&mut self, key: &str, text: &str) -> Option<String> {
        let filled = self.vars.filled(text);
        filled.map_err(|problem| self.problem(key, &problem)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigFile, Problem};

    fn read(text: &str) -> (Vec<ServerSettings>, Vec<Problem>) {
        let file: ConfigFile = toml::from_str(text).unwrap();
        let lookup = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        let mut vars = Vars::new(&lookup);
        let servers = tool_servers(&mut vars, &file.mcp);
        (servers, vars.into_error().0)
    }

    #[test]
    fn a_server_is_at_an_address_or_a_program() {
        let text = r#"
            [[mcp.servers]]
            name = "search"
            url = "https://example.com/mcp"
            headers = { Authorization = "Bearer ${TOKEN}", X-User = "{user_id}" }
            allowed_tools = ["search", "read_*"]
            timeout_s = 5
            confirm = true
            show = true

            [[mcp.servers]]
            name = "time"
            command = "python3"
            args = ["-m", "mcp_server_time"]
            env = { TZ = "UTC", KEY = "${TOKEN}" }
        "#;

        let (servers, problems) = read(text);

        assert_eq!(problems, []);
        let bearer = Header::new("Authorization", "Bearer hunter2").unwrap();
        let user = Header::new("X-User", "{user_id}").unwrap();
        let url = "https://example.com/mcp".to_owned();
        let http = TransportSettings::Http { url, headers: vec![bearer, user] };
        assert_eq!(servers[0].transport, http);
        assert_eq!(servers[0].timeout, Duration::from_secs(5));
        assert!(servers[0].confirm && servers[0].show);
        assert!(!servers[1].confirm && !servers[1].show);
        let TransportSettings::Process { command, args, env } = &servers[1].transport else {
            panic!("no process");
        };
        assert_eq!((command.as_str(), args.len()), ("python3", 2));
        assert_eq!(env[0], ("KEY".to_owned(), "hunter2".to_owned()));
        assert_eq!(servers[1].timeout, ServerSettings::DEFAULT_TIMEOUT);
        assert_eq!(servers[1].allowed_tools, AllowedTools::default());
    }

    #[test]
    fn every_problem_names_its_server_and_its_key() {
        for (entry, key, part) in [
            ("url = \"https://a.example\"\ncommand = \"b\"", "url", "either"),
            ("args = []", "url", "either"),
            ("url = \"ftp://a.example\"", "url", "http(s)"),
            ("command = \" \"", "command", "no program"),
            ("command = \"a\"\nheaders = { A = \"b\" }", "headers", "for a url"),
            ("url = \"https://a.example\"\nargs = [\"b\"]", "url", "for a command"),
            ("command = \"a\"\ntimeout_s = 0", "timeout_s", "600"),
            ("command = \"a\"\nenv = { A = \"${NONE}\" }", "env.A", "the variable NONE"),
            ("command = \"a\"\nargs = [\"${TOKEN\"]", "args", "without its }"),
            (
                "url = \"https://a.example\"\nheaders = { A = \"${NONE}\" }",
                "headers.A",
                "the variable NONE",
            ),
            (
                "url = \"https://a.example\"\nheaders = { Mcp-Session-Id = \"1\" }",
                "headers.Mcp-Session-Id",
                "by the protocol",
            ),
        ] {
            let (_, problems) = read(&format!("[[mcp.servers]]\nname = \"tools\"\n{entry}"));

            assert_eq!(problems.len(), 1, "{problems:?}");
            let Problem { name, text } = &problems[0];
            assert_eq!(name, &format!("gateway.toml, mcp.servers \"tools\", {key}"));
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn names_are_valid_and_different() {
        let entry = |name: &str| format!("[[mcp.servers]]\nname = \"{name}\"\ncommand = \"a\"\n");

        assert_eq!(read(&entry("a__b")).1.len(), 1);
        assert_eq!(read(&(entry("a") + &entry("a"))).1.len(), 1);
        assert_eq!(read(&(entry("a") + &entry("b"))).1, []);
    }
}
