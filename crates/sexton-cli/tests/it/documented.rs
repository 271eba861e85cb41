//! Numbers in the documentation that are limits of the code.

use sexton::SchedulerBuilder;
use sexton::lock::WAITING_MAX;

const GUARANTEES: &str = include_str!("../../../../GUARANTEES.md");
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
const POLICIES: &str = include_str!("../../../../docs/policies.md");

#[test]
fn the_documentation_has_the_limits_of_the_code() {
    let heartbeat = SchedulerBuilder::HEARTBEAT_DEFAULT.as_secs();
    let presence = 3 * heartbeat + 5;
    for (page, phrase) in [
        (GUARANTEES, format!("at most {WAITING_MAX} executions wait")),
        (OPERATIONS, format!("At most {WAITING_MAX} executions")),
        (POLICIES, format!("where {WAITING_MAX} executions")),
        (
            OPERATIONS,
            format!("its next heartbeat, every {heartbeat} s"),
        ),
        (POLICIES, format!("within a heartbeat ({heartbeat} s)")),
        (
            OPERATIONS,
            format!("{presence} s (three heartbeats and 5 s)"),
        ),
    ] {
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(&phrase), "{phrase:?} stands nowhere");
    }
}
