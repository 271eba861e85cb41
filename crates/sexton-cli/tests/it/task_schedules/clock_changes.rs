//! `clock_change`: what a task chooses where clocks are set forward or back.

use insta::assert_snapshot;

use super::{read, rejected_schedule, ticks};

#[test]
fn a_task_chooses_what_happens_where_clocks_change() {
    let paris = |choice: &str| {
        read(&format!(
            "cron = \"30 2 * * *\"\ntimezone = \"Europe/Paris\"\nclock_change = {choice}"
        ))
    };
    let skip = paris("{ gap = \"skip\", fold = \"last\" }");
    assert_eq!(
        ticks(&skip, "2026-03-28", 3),
        ["03-28 01:30", "03-30 00:30", "03-31 00:30"]
    );
    assert_eq!(
        ticks(&skip, "2026-10-25", 2),
        ["10-25 01:30", "10-26 01:30"]
    );
    let both = paris("{ fold = \"both\" }");
    assert_eq!(
        ticks(&both, "2026-10-25", 2),
        ["10-25 00:30", "10-25 01:30"]
    );
    assert_eq!(ticks(&both, "2026-03-29", 1), ["03-29 01:00"]);
    // The default says nothing.
    let rule = paris("{ gap = \"run\", fold = \"first\" }");
    let plain = read("cron = \"30 2 * * *\"\ntimezone = \"Europe/Paris\"");
    assert_eq!(
        rule.tasks[0].schedule.canonical(),
        plain.tasks[0].schedule.canonical()
    );
    // Of several expressions, for each; what is not chosen stays as each is written.
    let two = read(
        "kron = [\"0 30 2 * *\", \"0 /30 1 * *\"]\ntimezone = \"Europe/Paris\"\nclock_change = { gap = \"skip\" }",
    );
    assert_snapshot!(two.tasks[0].schedule.canonical(), @"union [kron s=0 m=0,30 h=1 d=* w=* mon=* y=* elapsed Europe/Paris; kron s=0 m=30 h=2 d=* w=* mon=* y=* gap=skip fold=first Europe/Paris]");
}

#[test]
fn choices_for_clock_changes_that_are_none() {
    let paris = "cron = \"30 2 * * *\"\ntimezone = \"Europe/Paris\"\n";
    assert_snapshot!(rejected_schedule(&format!("{paris}clock_change = \"skip\"")), @r#"
    error: a string does not belong here
     --> tasks.toml:6:16, task "bell", field `clock_change`
      |
    6 | clock_change = "skip"
      |                ^^^^^^ found "skip"
      = allowed: { gap = "run" or "skip", fold = "first", "last" or "both" }, either or both

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule(&format!("{paris}clock_change = {{}}")), @r#"
    error: there is neither `gap` nor `fold` in it
     --> tasks.toml:6:16, task "bell", field `clock_change`
      |
    6 | clock_change = {}
      |                ^^ found {}
      = allowed: { gap = "run" or "skip", fold = "first", "last" or "both" }, either or both

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule(
        &format!("{paris}clock_change = {{ gap = \"shift\", fold = \"lasst\", folds = \"last\" }}")
    ), @r#"
    error: this word is not known here
     --> tasks.toml:6:24, task "bell", field `clock_change.gap`
      |
    6 | clock_change = { gap = "shift", fold = "lasst", folds = "last" }
      |                        ^^^^^^^ found "shift"
      = allowed: "run", "skip"

    error: this word is not known here
     --> tasks.toml:6:40, task "bell", field `clock_change.fold`
      |
    6 | clock_change = { gap = "shift", fold = "lasst", folds = "last" }
      |                                        ^^^^^^^ found "lasst"
      = allowed: "first", "last", "both"
      = help: did you mean "last"?

    error: unknown field `folds`
     --> tasks.toml:6:49, task "bell", field `clock_change.folds`
      |
    6 | clock_change = { gap = "shift", fold = "lasst", folds = "last" }
      |                                                 ^^^^^
      = allowed: `fold`, `gap`
      = help: did you mean `fold`?

    tasks.toml: 3 errors
    "#);
    assert_snapshot!(rejected_schedule("every = \"1h\"\nclock_change = { gap = \"skip\" }"), @r#"
    error: `every` is due at instants, whatever clocks show
     --> tasks.toml:5:16, task "bell", field `clock_change`
      |
    5 | clock_change = { gap = "skip" }
      |                ^^^^^^^^^^^^^^^^ found { gap = "skip" }
      = allowed: `clock_change` goes with `cron` and `kron`

    tasks.toml: 1 error
    "#);
    let only_in_the_gap = "cron = \"0 30 2 29 3 * 2026\"\ntimezone = \"Europe/Paris\"\n";
    let told = rejected_schedule(&format!(
        "{only_in_the_gap}clock_change = {{ gap = \"skip\" }}"
    ));
    assert!(told.contains("is never due"), "{told}");
    let in_utc = read("cron = \"30 2 * * *\"\nclock_change = { gap = \"skip\" }");
    assert_snapshot!(in_utc.warnings.join("\n"), @r#"
    warning: this chooses nothing: the clocks of the task's zone do not change
     --> tasks.toml:5:16, task "bell", field `clock_change`
      |
    5 | clock_change = { gap = "skip" }
      |                ^^^^^^^^^^^^^^^^ found { gap = "skip" }
      = help: name the zone whose clocks are meant: `timezone = "Europe/Paris"`
    "#);
}
