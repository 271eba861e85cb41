//! Secrets that come from the environment are not seen in what a task says.

use crate::program::{Program, sexton};
use crate::server::{Server, reply};

/// Of a token: as it is, then as base64 has it at each of the three places.
const FORMS: [&str; 4] = [
    "hunter2!token",
    "aHVudGVyMiF0b2tl",
    "h1bnRlcjIhdG9rZW",
    "odW50ZXIyIXRva2Vu",
];

const FILE: &str = r#"
[defaults]
env = { TOKEN = "${THE_TOKEN}", PLACE = "${PLACE}" }

[[task]]
name = "says"
every = "200ms"
shell = """
echo "token $TOKEN in $PLACE"
for before in "" a bc; do printf %s "$before$TOKEN" | base64; done
echo hunter2%21token
exit 3
"""

[[task]]
name = "asks"
every = "200ms"
http = { url = "SERVER/", headers = { Authorization = "Bearer ${OTHER_TOKEN}" } }
"#;

#[test]
fn secrets_of_the_environment_are_masked_in_outputs_before_they_are_kept() {
    let echo = Server::start(|request, connection| {
        let said = request.header("authorization").unwrap();
        reply(connection, "500 Oops", "", &format!("no good: {said}"));
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("tasks.toml"), FILE.replace("SERVER", &echo.url)).unwrap();
    let mut command = sexton(folder, ["run", "--log-format", "json", "tasks.toml"]);
    command.env("THE_TOKEN", FORMS[0]).env("PLACE", "Paris");
    let mut program = Program::start(command.env("OTHER_TOKEN", "swordfish99"));
    let said = program.finished("says");
    assert_eq!(said["error"], "exit status 3", "{said}");
    let output = said["output"].as_str().unwrap();
    assert!(output.starts_with("token *** in Paris\n"), "{output}");
    assert_eq!(
        output.lines().filter(|line| line.contains("***")).count(),
        5
    );
    let asked = program.finished("asks");
    let answer = asked["output"].as_str().unwrap();
    assert!(answer.ends_with("no good: Bearer ***"), "{answer}");
    program.stop();
    let history = sexton(folder, ["history", "--json", "--limit", "100"]).output();
    let kept = String::from_utf8(history.unwrap().stdout).unwrap();
    assert!(kept.contains("***"), "{kept}");
    for secret in FORMS.iter().chain(&["swordfish99"]) {
        assert!(!output.contains(secret), "{secret}: {output}");
        assert!(!kept.contains(secret), "{secret}: {kept}");
    }
}

/// A variable that one task names reaches another one by inheritance.
#[test]
fn a_secret_that_one_task_names_is_masked_in_all_tasks_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[store]\nurl = \"memory:\"\n\
        [[task]]\nname = \"names\"\nevery = \"1h\"\nenv = { PASSWORD = \"${MYPW}\" }\nshell = 'true'\n\
        [[task]]\nname = \"inherits\"\nevery = \"200ms\"\nshell = 'echo \"it is $MYPW\"'\n";
    std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
    let mut command = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(command.env("MYPW", "hunter2!token"));
    assert_eq!(program.finished("inherits")["output"], "it is ***\n");
    // Tasks that a reload brings name others.
    let file = file.replace("${MYPW}", "${OTHER:-none}") + "# again\n";
    std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
    program.signal(rustix::process::Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    assert_eq!(reloaded["replaced"], serde_json::json!(["names"]));
    program.finished("inherits");
    assert_eq!(program.finished("inherits")["output"], "it is ***\n");
    program.stop();
}

#[test]
fn a_secret_is_masked_as_urls_and_json_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[store]\nurl = \"memory:\"\n\
        [[task]]\nname = \"says\"\nevery = \"200ms\"\nenv = { TOKEN = \"${TOKEN}\" }\nstdin = '''\n\
        path hun/ter%22%5Ctok%C3%A9n\n\
        all %68%75%6e%2f%74%65%72%22%5c%74%6f%6b%c3%a9%6e\n\
        all %68%75%6E%2F%74%65%72%22%5C%74%6F%6B%C3%A9%6E\n\
        json hun/ter\\\"\\\\tok\u{e9}n\n\
        json hun/ter\\\"\\\\tok\\u00e9n\n\
        json hun\\/ter\\\"\\\\tok\\u00e9n\n'''\ncommand = [\"cat\"]\n";
    std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
    let mut command = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(command.env("TOKEN", "hun/ter\"\\tok\u{e9}n"));
    let said = program.finished("says");
    let lines: Vec<&str> = said["output"].as_str().unwrap().lines().collect();
    let masked = [
        "path ***", "all ***", "all ***", "json ***", "json ***", "json ***",
    ];
    assert_eq!(lines, masked, "{said}");
    program.stop();
}
#[test]
fn what_the_file_s_store_is_told_is_masked_but_for_the_path_of_a_file() {
    let read = |url: &str| {
        let text = format!(
            "[store]\nurl = \"{url}\"\n[[task]]\nname = \"t\"\nevery = \"1h\"\nshell = 'true'\n"
        );
        let source = sexton_cli::diagnostic::Source::new("tasks.toml", text);
        let environment = sexton_cli::environment::Environment::of([("PW", "swordfish99")]);
        sexton_cli::config::read(&source, ".".as_ref(), &environment).unwrap()
    };
    let of_server = read("redis://:${PW}@db/").masks;
    assert_eq!(of_server.masked("a swordfish99").as_deref(), Some("a ***"));
    let of_file = read("sqlite:${PW}/sexton.db").masks;
    assert_eq!(of_file.masked("a swordfish99"), None);
}
