//! `sexton store migrate`: tables made, or told how to make.

use std::path::Path;

use sexton_testkit::{mariadb, postgres, redis};

use crate::program::sexton;

/// What a command said, and how it ended.
fn say(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = sexton(folder, words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What a command printed that must succeed and say nothing else.
fn printed(folder: &Path, words: &[&str]) -> String {
    let (code, stdout, stderr) = say(folder, words);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
    stdout
}

/// On a server with nothing on it, made by hand from what is printed, or by the program.
fn tables_are_made(url: &str, kind: &str, run: impl FnOnce(&str), drop_tables: impl FnOnce()) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let look = ["tasks", "--store", url];
    let (code, _, stderr) = say(folder, &look);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("version 0"), "{stderr}");

    // Nothing of the server is needed, nor of its password.
    let nowhere = format!("{kind}://nowhere.invalid/app");
    let print = ["store", "migrate", "--print", "--store", &nowhere];
    let script = printed(folder, &print);
    let (code, ..) = say(folder, &look);
    assert_eq!(code, Some(4), "printing has changed something");
    run(&script);
    printed(folder, &look);

    drop_tables();
    let (code, ..) = say(folder, &look);
    assert_eq!(code, Some(4), "there are tables left");
    let migrate = ["store", "migrate", "--store", url];
    let said = printed(folder, &migrate);
    assert!(
        said.ends_with(": its tables are those of this version\n"),
        "{said}"
    );
    assert!(!said.contains("horse"), "{said}");
    printed(folder, &look);
    assert_eq!(printed(folder, &migrate), said);
}

#[test]
fn of_a_postgresql_server() {
    let Some(server) = postgres::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = |sql: &str| runtime.block_on(server.run(sql));
    let drop_tables = || run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    tables_are_made(&server.url(), "postgres", run, drop_tables);
}

#[test]
fn of_a_mariadb_server() {
    let Some(server) = mariadb::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = |sql: &str| runtime.block_on(server.run(sql));
    let drop_tables = || {
        let database = mariadb::DATABASE;
        run(&format!(
            "DROP DATABASE {database}; CREATE DATABASE {database}"
        ));
    };
    tables_are_made(&server.url(), "mysql", run, drop_tables);
}

#[tokio::test]
async fn of_a_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let look = ["tasks", "--store", "sqlite:bells.db"];
    let (code, ..) = say(folder, &look);
    assert_eq!(code, Some(4));
    let migrate = ["store", "migrate", "--store", "sqlite:bells.db"];
    let said = printed(folder, &migrate);
    assert_eq!(
        said,
        "sqlite:bells.db: its tables are those of this version\n"
    );
    printed(folder, &look);

    let script = printed(folder, &[&migrate[..], &["--print"]].concat());
    let file = folder.join("by-hand.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new();
    let options = options.filename(&file).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let script = sqlx::raw_sql(sqlx::AssertSqlSafe(script));
    script.execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    printed(folder, &["tasks", "--store", "sqlite:by-hand.db"]);
}

#[tokio::test]
async fn of_a_redis_server_which_has_none() {
    if redis::is_declared_absent() {
        return;
    }
    let server = redis::Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let said = printed(folder.path(), &["store", "migrate", "--store", &url]);
    let end = ": it keeps no tables, there is nothing to migrate\n";
    assert!(said.ends_with(end), "{said}");
    let print = ["store", "migrate", "--print", "--store", &url];
    assert_eq!(
        printed(folder.path(), &print),
        "-- This store keeps no tables.\n"
    );
}

#[test]
fn whoever_has_the_newest_version_is_told_nothing_to_run() {
    let folder = tempfile::tempdir().unwrap();
    for (store, newest) in [
        ("postgres://h/app", "1"),
        ("mysql://h/app", "1"),
        ("sqlite:bells.db", "2"),
    ] {
        let from = |version| {
            let words = ["store", "migrate", "--print", "--from", version];
            printed(folder.path(), &[&words[..], &["--store", store]].concat())
        };
        assert!(from("0").contains("CREATE TABLE"), "{store}");
        let nothing = from(newest);
        assert!(
            !nothing.contains("CREATE") && !nothing.contains("ALTER"),
            "{nothing}"
        );
    }
    let (code, stdout, stderr) = say(folder.path(), &["store", "migrate", "--from", "1"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("--print"), "{stderr}");
}
