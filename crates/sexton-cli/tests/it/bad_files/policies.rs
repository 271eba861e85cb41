//! Policies that are none, or do not go together.

use insta::assert_snapshot;

use crate::reading::rejected_task;

#[test]
fn delivery() {
    assert_snapshot!(rejected_task("delivery = \"at most onec\""), @r#"
    error: this word is not known here
     --> tasks.toml:5:12, task "bell", field `delivery`
      |
    5 | delivery = "at most onec"
      |            ^^^^^^^^^^^^^^ found "at most onec"
      = allowed: "at most once", "at least once", "transactional"
      = help: did you mean "at most once"?

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("delivery = \"transactional\""), @r#"
    error: only a handler of the library can take part in the store's transaction
     --> tasks.toml:5:12, task "bell", field `delivery`
      |
    5 | delivery = "transactional"
      |            ^^^^^^^^^^^^^^^ found "transactional"
      = allowed: "at most once", "at least once"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("delivery = { lease = \"30s\" }"), @r#"
    error: `mode` is missing
     --> tasks.toml:5:12, task "bell", field `delivery`
      |
    5 | delivery = { lease = "30s" }
      |            ^^^^^^^^^^^^^^^^^ found { lease = "30s" }
      = allowed: `mode` is one of `at most once`, `at least once`, `transactional`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("delivery = { mode = \"at most once\", max_attempts = 2 }"), @r#"
    error: there is one attempt under "at most once"
     --> tasks.toml:5:52, task "bell", field `delivery.max_attempts`
      |
    5 | delivery = { mode = "at most once", max_attempts = 2 }
      |                                                    ^ found 2
      = allowed: `max_attempts` goes with "at least once"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("delivery = { mode = \"at least once\", lease = \"1ms\", max_attempts = 0 }"), @r#"
    error: the duration is out of range
     --> tasks.toml:5:46, task "bell", field `delivery.lease`
      |
    5 | delivery = { mode = "at least once", lease = "1ms", max_attempts = 0 }
      |                                              ^^^^^ found "1ms"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 100ms to 1d

    error: the number is out of range
     --> tasks.toml:5:68, task "bell", field `delivery.max_attempts`
      |
    5 | delivery = { mode = "at least once", lease = "1ms", max_attempts = 0 }
      |                                                                    ^ found 0
      = allowed: a whole number, 1..=1000

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_task("delivery = { mode = \"at least once\", attempts = 2 }"), @r#"
    error: unknown field `attempts`
     --> tasks.toml:5:38, task "bell", field `delivery.attempts`
      |
    5 | delivery = { mode = "at least once", attempts = 2 }
      |                                      ^^^^^^^^
      = allowed: `lease`, `max_attempts`, `mode`
      = help: did you mean `max_attempts`?

    tasks.toml: 1 error
    "#);
}

#[test]
fn overlap() {
    assert_snapshot!(rejected_task("overlap = \"forbid\""), @r#"
    error: this word is not known here
     --> tasks.toml:5:11, task "bell", field `overlap`
      |
    5 | overlap = "forbid"
      |           ^^^^^^^^ found "forbid"
      = allowed: "allow", "skip", "queue one", "cancel the earlier"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("overlap = true"), @r#"
    error: a boolean does not belong here
     --> tasks.toml:5:11, task "bell", field `overlap`
      |
    5 | overlap = true
      |           ^^^^ found true
      = allowed: "allow", "skip", "queue one", "cancel the earlier"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("overlap = \"${SECRET}\""), @r#"
    error: the value that the environment gives cannot be used
     --> tasks.toml:5:11, task "bell", field `overlap`
      |
    5 | overlap = "${SECRET}"
      |           ^^^^^^^^^^^ found "${SECRET}"
      = allowed: "allow", "skip", "queue one", "cancel the earlier"
      = help: the value is not shown, for it may be secret

    tasks.toml: 1 error
    "#);
}

#[test]
fn missed() {
    assert_snapshot!(rejected_task("missed = \"latest\""), @r#"
    error: `window` is missing: how old may a tick be to be caught up with?
     --> tasks.toml:5:10, task "bell", field `missed`
      |
    5 | missed = "latest"
      |          ^^^^^^^^ found "latest"
      = allowed: { mode = "latest" or "all", window = "1h" }

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("missed = { mode = \"skip\", window = \"1h\" }"), @r#"
    error: nothing is caught up with under "skip"
     --> tasks.toml:5:36, task "bell", field `missed.window`
      |
    5 | missed = { mode = "skip", window = "1h" }
      |                                    ^^^^ found "1h"
      = allowed: no `window`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("missed = { mode = \"all\", window = \"2 years\" }"), @r#"
    error: this is not a duration that can be used: at byte 2: found "years", allowed is units of a fixed length: w, d, h, m, s, ms; months and years have none
     --> tasks.toml:5:35, task "bell", field `missed.window`
      |
    5 | missed = { mode = "all", window = "2 years" }
      |                                   ^^^^^^^^^ found "2 years"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("missed = { window = \"1h\" }"), @r#"
    error: `mode` is missing
     --> tasks.toml:5:10, task "bell", field `missed`
      |
    5 | missed = { window = "1h" }
      |          ^^^^^^^^^^^^^^^^^ found { window = "1h" }
      = allowed: `mode` is one of `skip`, `latest`, `all`

    tasks.toml: 1 error
    "#);
}

#[test]
fn placement() {
    assert_snapshot!(rejected_task("placement = \"spread\""), @r#"
    error: this word is not known here
     --> tasks.toml:5:13, task "bell", field `placement`
      |
    5 | placement = "spread"
      |             ^^^^^^^^ found "spread"
      = allowed: "race", "distinct"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("placement = { mode = \"race\", labels = { zone = 3, \"\" = \"x\" } }"), @r#"
    error: an integer does not belong here
     --> tasks.toml:5:48, task "bell", field `placement.labels.zone`
      |
    5 | placement = { mode = "race", labels = { zone = 3, "" = "x" } }
      |                                                ^ found 3
      = allowed: a table of at most 32 labels, { zone = "eu" }, each name and value 1 to 100 bytes

    error: this cannot be a label
     --> tasks.toml:5:56, task "bell", field `placement.labels.""`
      |
    5 | placement = { mode = "race", labels = { zone = 3, "" = "x" } }
      |                                                        ^^^ found "x"
      = allowed: a table of at most 32 labels, { zone = "eu" }, each name and value 1 to 100 bytes

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_task("placement = { mode = \"race\", labels = [\"zone\"] }"), @r#"
    error: an array does not belong here
     --> tasks.toml:5:39, task "bell", field `placement.labels`
      |
    5 | placement = { mode = "race", labels = ["zone"] }
      |                                       ^^^^^^^^ found ["zone"]
      = allowed: a table of at most 32 labels, { zone = "eu" }, each name and value 1 to 100 bytes

    tasks.toml: 1 error
    "#);
}

#[test]
fn retry() {
    assert_snapshot!(rejected_task("retry = 3"), @r#"
    error: an integer does not belong here
     --> tasks.toml:5:9, task "bell", field `retry`
      |
    5 | retry = 3
      |         ^ found 3
      = allowed: "none" or { attempts = 3, backoff = "1s", backoff_max = "1m" }

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("retry = { backoff = \"1s\" }"), @r#"
    error: `attempts` is missing
     --> tasks.toml:5:9, task "bell", field `retry`
      |
    5 | retry = { backoff = "1s" }
      |         ^^^^^^^^^^^^^^^^^^ found { backoff = "1s" }
      = allowed: "none" or { attempts = 3, backoff = "1s", backoff_max = "1m" }

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("retry = { attempts = 1 }"), @r#"
    error: the number is out of range
     --> tasks.toml:5:22, task "bell", field `retry.attempts`
      |
    5 | retry = { attempts = 1 }
      |                      ^ found 1
      = allowed: a whole number, 2..=1000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("retry = { attempts = 3, backoff = \"1m\", backoff_max = \"1s\" }"), @r#"
    error: the longest wait is shorter than the first
     --> tasks.toml:5:55, task "bell", field `retry.backoff_max`
      |
    5 | retry = { attempts = 3, backoff = "1m", backoff_max = "1s" }
      |                                                       ^^^^ found "1s"
      = allowed: at least `backoff`

    tasks.toml: 1 error
    "#);
}

#[test]
fn durations() {
    assert_snapshot!(rejected_task("timeout = \"0s\""), @r#"
    error: the duration is out of range
     --> tasks.toml:5:11, task "bell", field `timeout`
      |
    5 | timeout = "0s"
      |           ^^^^ found "0s"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("timeout = \"10 parsecs\""), @r#"
    error: this is not a duration that can be used: at byte 3: found "parsecs", allowed is a unit: w, d, h, m, s or ms, or its English name
     --> tasks.toml:5:11, task "bell", field `timeout`
      |
    5 | timeout = "10 parsecs"
      |           ^^^^^^^^^^^^ found "10 parsecs"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("timeout = 10"), @r#"
    error: an integer does not belong here
     --> tasks.toml:5:11, task "bell", field `timeout`
      |
    5 | timeout = 10
      |           ^^ found 10
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("jitter = \"-5m\""), @r#"
    error: this is not a duration that can be used: at byte 0: found "-5m", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
     --> tasks.toml:5:10, task "bell", field `jitter`
      |
    5 | jitter = "-5m"
      |          ^^^^^ found "-5m"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("jitter = \"100us\""), @r#"
    error: this is not a duration that can be used: at byte 3: found "us", allowed is a unit: w, d, h, m, s or ms, or its English name
     --> tasks.toml:5:10, task "bell", field `jitter`
      |
    5 | jitter = "100us"
      |          ^^^^^^^ found "100us"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("jitter = \"400d\""), @r#"
    error: the duration is out of range
     --> tasks.toml:5:10, task "bell", field `jitter`
      |
    5 | jitter = "400d"
      |          ^^^^^^ found "400d"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 1 error
    "#);
}

#[test]
fn priority() {
    assert_snapshot!(rejected_task("priority = 101"), @r#"
    error: the number is out of range
     --> tasks.toml:5:12, task "bell", field `priority`
      |
    5 | priority = 101
      |            ^^^ found 101
      = allowed: a whole number, -100..=100

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("priority = \"high\""), @r#"
    error: a string does not belong here
     --> tasks.toml:5:12, task "bell", field `priority`
      |
    5 | priority = "high"
      |            ^^^^^^ found "high"
      = allowed: a whole number, -100..=100

    tasks.toml: 1 error
    "#);
}

#[test]
fn limits_of_runs() {
    assert_snapshot!(rejected_task("running_max = 0"), @r#"
    error: the number is out of range
     --> tasks.toml:5:15, task "bell", field `running_max`
      |
    5 | running_max = 0
      |               ^ found 0
      = allowed: a whole number, 1..=1000000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("group = \"ropes\""), @r#"
    error: the file has no such group
     --> tasks.toml:5:9, task "bell", field `group`
      |
    5 | group = "ropes"
      |         ^^^^^^^ found "ropes"
      = allowed: the name of a table [groups.NAME], of which the file has none

    tasks.toml: 1 error
    "#);
    let groups = "[groups.ropes]\nrunning_max = 2\n[groups.none]\nrunning_max = 2\n[groups.bells]";
    assert_snapshot!(rejected_task(&format!("group = \"rope\"\n{groups}")), @r#"
    error: the file has no such group
     --> tasks.toml:5:9, task "bell", field `group`
      |
    5 | group = "rope"
      |         ^^^^^^ found "rope"
      = allowed: `bells`, `ropes`
      = help: did you mean `ropes`?

    error: this cannot be a group's name
     --> tasks.toml:8:9, field `groups.none`
      |
    8 | [groups.none]
      |         ^^^^ found [groups.none]
      = allowed: 1 to 200 bytes without control characters, and not `none`

    error: `running_max` is missing
      --> tasks.toml:10:1, field `groups.bells`
       |
    10 | [groups.bells]
       | ^^^^^^^^^^^^^^ found [groups.bells]
       = allowed: tables [groups.NAME], each with its `running_max`

    tasks.toml: 3 errors
    "#);
}
