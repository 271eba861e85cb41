//! A store on another host, without TLS that is verified, is warned of once.

use sexton_testkit::redis;

use crate::program::Program;
use crate::ran::Folder;

const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"1h\"\nshell = 'true'\n";

#[test]
fn check_warns_of_the_store_that_the_file_names() {
    for (url, advice) in [
        ("redis://u:hunter2@db.example", "`rediss`"),
        ("postgres://u:hunter2@db.example/app", "sslmode=verify-full"),
        ("mysql://u:hunter2@db.example/app", "VERIFY_IDENTITY"),
        ("mongodb://u:hunter2@db.example/app", "tls=true"),
    ] {
        let text = format!("store.url = \"{url}\"\n{TASK}");
        let ran = Folder::new().file("t.toml", text).run(&["check", "t.toml"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.ends_with("no errors, 1 warning\n"), "{ran}");
        assert!(ran.stderr.contains("is on another host"), "{ran}");
        assert!(ran.stderr.contains(advice), "{ran}");
        assert!(!ran.stderr.contains("hunter2"), "{ran}");
    }
    let text = format!("store.url = \"rediss://u:hunter2@db.example\"\n{TASK}");
    let ran = Folder::new().file("t.toml", text).run(&["check", "t.toml"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran}");
}

#[tokio::test]
async fn run_warns_once_at_the_start() {
    if redis::is_declared_absent() {
        return;
    }
    let server = redis::Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tasks.toml"), TASK).unwrap();
    // The resolver's short form of 127.0.0.1 stands for the name of another host.
    for (host, warnings) in [("127.1", 1), ("127.0.0.1", 0)] {
        let url = format!("redis://{host}:{}", server.port());
        let mut program = Program::run(folder.path(), &["tasks.toml", "--store", &url]);
        let began = program.wait("began", |_| true);
        let told = began["warnings"].as_array().unwrap();
        assert_eq!(told.len(), warnings, "{began}");
        assert!(told.iter().all(|one| one.to_string().contains("rediss")));
        program.stop();
    }
}
