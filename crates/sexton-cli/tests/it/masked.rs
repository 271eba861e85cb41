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
