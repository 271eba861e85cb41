//! Users of the stores with the documented rights: those who run and operate, and those who look.

use std::path::Path;

use serde_json::Value;
use sexton_testkit::{mariadb, postgres, redis};

use crate::program::{Program, ask_until, sexton};

const FILE: &str = r#"
[[task]]
name = "ring"
every = "200ms"
retry = { attempts = 2 }
shell = "echo hello"

[[task]]
name = "by hand"
cron = "0 0 1 1 *"
shell = "true"
"#;

/// The block of code that stands first behind a text.
fn documented(page: &str, behind: &str) -> String {
    let (_, rest) = page.split_once(behind).unwrap();
    rest.split("```\n").nth(1).unwrap().to_owned()
}

fn say(folder: &Path, url: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = sexton(folder, words);
    let output = command.env("SEXTON_STORE", url).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code();
    (code, text(output.stdout), text(output.stderr))
}

fn start(folder: &Path, url: &str) -> Program {
    std::fs::write(folder.join("tasks.toml"), FILE).unwrap();
    let mut command = sexton(folder, ["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(command.env("SEXTON_STORE", url));
    program.finished("ring");
    ask_until("the tasks are known", || {
        let (_, tasks, _) = say(folder, url, &["tasks", "--json"]);
        let tasks: Value = serde_json::from_str(&tasks).ok()?;
        let mut tasks = tasks.as_array()?.iter();
        tasks.find(|task| task["task"] == "by hand" && !task["schedule"].is_null())?;
        Some(())
    });
    program
}

/// A user with the documented rights to run tasks can do everything that operators do.
fn operates(folder: &Path, url: &str) {
    for words in [
        vec!["pause", "ring", "--note", "quiet"],
        vec!["resume", "ring"],
        vec!["trigger", "by hand", "--wait"],
        vec!["history", "by hand", "--output"],
        vec!["tasks", "--all"],
    ] {
        let (code, _, stderr) = say(folder, url, &words);
        assert_eq!(code, Some(0), "{words:?}: {stderr}");
    }
    let (code, _, stderr) = say(folder, url, &["cancel", "by hand"]);
    assert_eq!(code, Some(1), "{stderr}");
}

/// A user with the documented rights to look can look, and is refused everything else.
fn looks(folder: &Path, url: &str) {
    for words in [["history", "--json"], ["tasks", "--json"]] {
        let (code, stdout, stderr) = say(folder, url, &words);
        assert_eq!(code, Some(0), "{words:?}: {stderr}");
        assert!(stdout.contains("ring"), "{stdout}");
    }
    let (code, stdout, stderr) = say(folder, url, &["instances"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("INSTANCE"), "{stdout}");
    for words in [
        vec!["trigger", "ring"],
        vec!["pause", "ring"],
        vec!["resume", "ring"],
    ] {
        let (code, stdout, stderr) = say(folder, url, &words);
        assert_eq!(code, Some(4), "{words:?}: {stdout}{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_each_has_the_commands_that_are_documented() {
    if redis::is_declared_absent() {
        return;
    }
    let page = include_str!("../../../../docs/stores/redis.md");
    let users = page.lines().filter(|line| line.starts_with("ACL SETUSER "));
    let mut arguments = Vec::new();
    for user in users {
        arguments.push("--user");
        // `CLIENT SETINFO` came with 7.2; the driver does without.
        let rules = user.split(' ').skip(2);
        arguments.extend(rules.filter(|rule| *rule != "+client|setinfo"));
    }
    let server = redis::Server::start_with(&arguments).await;
    let url = |user| format!("redis://{user}:secret@127.0.0.1:{}/", server.port());
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &url("sexton"));
    operates(folder.path(), &url("sexton"));
    looks(folder.path(), &url("looker"));
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn on_postgresql_a_role_that_only_looks_can() {
    let Some(server) = postgres::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &server.url());
    let page = include_str!("../../../../docs/stores/postgres.md");
    let grants = documented(page, "A role that only looks");
    runtime.block_on(server.run(&format!("CREATE ROLE looker LOGIN;{grants}")));
    looks(
        folder.path(),
        &server.url().replace("//sexton:", "//looker:"),
    );
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn on_mariadb_a_user_that_only_looks_can() {
    let Some(server) = mariadb::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &server.url());
    let page = include_str!("../../../../docs/stores/mysql.md");
    let grants = documented(page, "A user that only looks");
    let grants = grants.replace("app.", &format!("{}.", mariadb::DATABASE));
    let password = mariadb::PASSWORD;
    let user = format!("CREATE USER looker IDENTIFIED BY '{password}';{grants}");
    runtime.block_on(server.run(&user));
    looks(
        folder.path(),
        &server.url().replace("//sexton:", "//looker:"),
    );
    assert_eq!(program.stop().status.code(), Some(0));
}
