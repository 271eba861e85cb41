//! Users who may not make the tables.

use sexton_core::lock::{ClaimLead, LockManager};
use sexton_sql::OpenError;
use sexton_testkit::fixtures::claim;
use sexton_testkit::process::Disk;

use super::{Options, TestServer, on_each_server};

on_each_server!(who_may_not_make_the_tables_is_told_what_to_grant_and_who_else_can);

async fn who_may_not_make_the_tables_is_told_what_to_grant_and_who_else_can<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    S::execute(&mut server.raw().await, S::MAY_NOT_CREATE).await;
    let url = server.url().replace("sexton:", "visitor:");
    let error = Options::<S>::new().connect(&url).await.unwrap_err();
    assert!(
        matches!(error, OpenError::MayNotMakeTables { .. }),
        "{error:?}"
    );
    let said = error.to_string();
    assert!(
        said.contains("CREATE") && said.contains("`sexton store migrate`"),
        "{said}"
    );
    assert!(!said.contains("SELECT"), "{said}");
    assert!(!error.is_transient());
    // Once somebody has, it is about the tables.
    server.make_tables().await;
    let manager = Options::<S>::new().connect(&url).await.unwrap();
    let batch = [claim("digest", 0, "one")];
    let refused = manager.claim(ClaimLead::default(), &batch).await;
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("SELECT, INSERT"), "{error}");
}
