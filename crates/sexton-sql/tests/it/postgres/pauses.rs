//! Pauses that come in between.

use sexton_core::lock::{ClaimLead, Denial, LockManager, PauseChange, Verdict};
use sexton_testkit::fixtures::{claim, task};
use sexton_testkit::postgres::Server;
use sqlx::Connection;

use crate::on_servers::TestServer;

#[tokio::test]
async fn a_claim_that_a_pause_overtakes_is_not_granted_even_of_an_index_that_is_new() {
    let Some(server) = Server::start() else {
        return;
    };
    let (manager, operator) = (server.open().await, server.open().await);
    // Claims may read, and not write; pauses may.
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    let hold = sqlx::query("LOCK TABLE sexton_executions IN SHARE MODE");
    hold.execute(&mut *holding).await.unwrap();
    let claiming = tokio::spawn(async move {
        let batch = [claim("t", 0, "one")];
        manager
            .claim(ClaimLead::default(), &batch)
            .await
            .unwrap()
            .whole()
            .unwrap()
    });
    waiting(&server, 1).await;
    let (note, by) = ("stop".to_owned(), "anna".to_owned());
    let pause = PauseChange::Pause { note, by };
    operator.change_pause(&[task("t")], &pause).await.unwrap();
    holding.rollback().await.unwrap();
    let verdicts = claiming.await.unwrap().value;
    assert!(
        matches!(verdicts[..], [Verdict::Denied(Denial::Paused)]),
        "{verdicts:?}"
    );
}

/// The pause has looked for registers when the first claim makes one, and is answered before that
/// claim writes.
#[tokio::test]
async fn a_claim_that_comes_in_the_middle_of_a_pause_is_not_granted_after_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let (manager, operator) = (server.open().await, server.open().await);
    let (note, by) = ("stop".to_owned(), "anna".to_owned());
    let pause = PauseChange::Pause { note, by };
    operator
        .change_pause(&[task("other")], &pause)
        .await
        .unwrap();
    // Grants are not written, and a pause that has raised versions does not commit, until they may.
    server.run(SLOW_GRANTS).await;
    server.run(SLOW_PAUSES).await;
    let (mut first, mut second) = (server.raw().await, server.raw().await);
    let hold = sqlx::query("SELECT pg_advisory_lock(7)");
    hold.execute(&mut first).await.unwrap();
    let mut no_answers = second.begin().await.unwrap();
    let hold = sqlx::query("SELECT pg_advisory_xact_lock(8)");
    hold.execute(&mut *no_answers).await.unwrap();

    let pausing = tokio::spawn(async move {
        let answer = operator.change_pause(&[task("t")], &pause).await;
        answer.unwrap();
    });
    waiting(&server, 1).await;
    let mut claiming = tokio::spawn(async move {
        let batch = [claim("t", 0, "one")];
        manager
            .claim(ClaimLead::default(), &batch)
            .await
            .unwrap()
            .whole()
            .unwrap()
    });
    let answered = tokio::select! {
        answer = &mut claiming => Some(answer),
        () = waiting(&server, 2) => None,
    };
    no_answers.rollback().await.unwrap();
    pausing.await.unwrap();
    first.close().await.unwrap();
    let answer = match answered {
        Some(answer) => answer,
        None => claiming.await,
    };
    let verdicts = answer.unwrap().value;
    assert!(
        matches!(verdicts[..], [Verdict::Denied(Denial::Paused)]),
        "{verdicts:?}"
    );
}

const SLOW_GRANTS: &str = "\
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$; \
    CREATE TRIGGER slow_grants BEFORE INSERT ON sexton_executions FOR EACH ROW EXECUTE FUNCTION dawdle()";

/// Fires for a pause's statement, of whichever rows, and not for a claim's upsert.
const SLOW_PAUSES: &str = "\
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN IF current_query() NOT LIKE '%INSERT%' THEN PERFORM pg_advisory_xact_lock_shared(8); END IF; \
        RETURN NULL; END $$; \
    CREATE TRIGGER slow_pauses AFTER UPDATE ON sexton_registers FOR EACH STATEMENT EXECUTE FUNCTION linger()";

/// Returns when this many sessions wait for what others hold.
async fn waiting(server: &Server, sessions: i64) {
    let mut raw = server.raw().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&mut raw)
        .await
        .unwrap()
        < sessions
    {
        tokio::task::yield_now().await;
    }
}
