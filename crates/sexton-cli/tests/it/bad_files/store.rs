//! Stores that cannot be used.

use insta::assert_snapshot;

use crate::reading::rejected;

fn rejected_store(lines: &str) -> String {
    rejected(&format!(
        "[store]\n{lines}\n[[task]]\nname = \"a\"\nevery = \"1h\"\nshell = \"x\"\n"
    ))
}

#[test]
fn a_mongodb_url_must_name_a_database() {
    assert_snapshot!(rejected_store("url = \"mongodb://127.0.0.1/\""), @r#"
    error: the MongoDB store's URL cannot be read: it names no database
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "mongodb://127.0.0.1/"
      |       ^^^^^^^^^^^^^^^^^^^^^^ found "mongodb://127.0.0.1/"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_postgres_url_that_cannot_be_read() {
    let url = "url = \"postgres://127.0.0.1/bells?sslmod=require\"";
    assert_snapshot!(rejected_store(url), @r#"
    error: the PostgreSQL store's URL cannot be read: unknown parameter "sslmod" (did you mean "sslmode"?); expected one of sslmode, ssl-mode, sslrootcert, ssl-root-cert, ssl-ca, sslcert, ssl-cert, sslkey, ssl-key, statement-cache-capacity, host, hostaddr, port, dbname, user, password, application_name, options, channel_binding
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "postgres://127.0.0.1/bells?sslmod=*******"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "postgres://127.0.0.1/bells?sslmod=*******"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
}

#[test]
fn an_unknown_kind_of_store() {
    assert_snapshot!(rejected_store("url = \"etcd://127.0.0.1/\""), @r#"
    error: unknown kind of store `etcd:`
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "etcd://127.0.0.1/"
      |       ^^^^^^^^^^^^^^^^^^^ found "etcd://127.0.0.1/"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_store("url = \"sexton.db\""), @r#"
    error: unknown kind of store
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "sexton.db"
      |       ^^^^^^^^^^^ found "sexton.db"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_password_in_a_url_is_never_repeated() {
    assert_snapshot!(rejected_store("url = \"mysql://bell:hunter2@127.0.0.1:x/bells\""), @r#"
    error: the MySQL store's URL cannot be read: a port in it is not a number from 1 to 65535
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "mysql://bell:*******@127.0.0.1:x/bells"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "mysql://bell:*******@127.0.0.1:x/bells"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_store("url = \"mysql://bell:${SECRET}@127.0.0.1:x/bells\""), @r#"
    error: the value that the environment gives cannot be used
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "mysql://bell:${SECRET}@127.0.0.1:x/bells"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "mysql://bell:${SECRET}@127.0.0.1:x/bells"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
      = help: the value is not shown, for it may be secret

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_password_that_is_not_percent_encoded_is_told_how_to_write_it() {
    for scheme in ["redis", "redis+cluster", "postgres", "mysql", "mongodb"] {
        for (character, encoded) in [
            ("/", "%2F"),
            ("#", "%23"),
            ("@", "%40"),
            ("?", "%3F"),
            ("%", "%25"),
        ] {
            for password in ["hunter2", "2", "${SECRET}"] {
                let url = format!("{scheme}://bell:{password}{character}{password}@h/db");
                let told = rejected_store(&format!("url = \"{url}\""));
                let problem = format!(
                    "the user or the password has a `{character}`: percent-encode it, as {encoded}"
                );
                assert!(told.contains(&problem), "{url}: {told}");
                let shown = told.lines().nth(3).unwrap();
                assert!(
                    !shown.contains("bell:2") && !shown.contains("2@h"),
                    "{told}"
                );
            }
        }
    }
}

#[test]
fn a_secret_of_a_url_is_not_repeated_wherever_in_it_and_however_long_the_line_is() {
    let (long, digits) = ("u".repeat(200), "1".repeat(200));
    for url in [
        "postgres://u@h:x/db?password=hunter2".to_owned(),
        "redis+sentinel://a/?sentinel_password=hunter2".to_owned(),
        format!("mysql://{long}:hunter2@h:x/"),
        format!("mysql://u:{digits}@h:x/"),
    ] {
        for behind in ["", " x"] {
            // What is not TOML is told where it is, at the end of the line.
            let told = rejected_store(&format!("url = \"{url}\"{behind}"));
            assert!(!told.contains("111"), "{told}");
        }
    }
}

#[test]
fn files_that_are_none() {
    assert_snapshot!(rejected_store("url = \"sqlite:\""), @r#"
    error: the SQLite store's URL names no file
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "sqlite:"
      |       ^^^^^^^^^ found "sqlite:"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_store("url = \"sqlite://sexton.db\""), @r#"
    error: a SQLite URL has no host: write `sqlite:name.db` or `sqlite:///absolute/path.db`
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "sqlite://sexton.db"
      |       ^^^^^^^^^^^^^^^^^^^^ found "sqlite://sexton.db"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_store("url = \"memory:shared\""), @r#"
    error: nothing goes behind `memory:`
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "memory:shared"
      |       ^^^^^^^^^^^^^^^ found "memory:shared"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_namespace_that_cannot_be() {
    assert_snapshot!(rejected_store("namespace = \"\""), @r#"
    error: namespace is empty
     --> tasks.toml:2:13, field `store.namespace`
      |
    2 | namespace = ""
      |             ^^ found ""
      = allowed: 1 to 100 bytes, no control characters

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_store("namespace = 1"), @"
    error: an integer does not belong here
     --> tasks.toml:2:13, field `store.namespace`
      |
    2 | namespace = 1
      |             ^ found 1
      = allowed: a string

    tasks.toml: 1 error
    ");
}
