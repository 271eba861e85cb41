//! Task files that are read, and what they mean.

use std::path::Path;
use std::time::Duration;

use sexton::policy::{Delivery, Lease, Missed, Overlap, Placement, Retry};
use sexton_cli::tasks::{
    CommandSpec, HttpSpec, Inherit, Policies, Program, TaskFile, Work, ZoneChosen,
};
use sexton_core::tick::{Concurrency, Tick};

use crate::reading::task_file;

/// A file in which every field has a value that is not the default.
pub(crate) const EVERYTHING: &str = r#"
[store]
url = "sqlite:state/bells.db"
namespace = "notre-dame"

[defaults]
timezone = "Europe/Paris"
timeout = "10m"
cwd = "work"
env = { TONE = "c", TOKEN = "${SECRET}" }

[[task]]
name = "angelus"
cron = "0 7,12,19 * * *"
command = ["ring", "--tone", "${TONE:-d}", "$$5"]
concurrency = 3
cwd = "/srv/tower"
env = { TONE = "e" }
delivery = { mode = "at least once", lease = "45s", max_attempts = 5 }
overlap = "queue one"
missed = { mode = "all", window = "2h" }
placement = { mode = "distinct", labels = { tower = "north" } }
retry = { attempts = 4, backoff = "2s", backoff_max = "30s" }
timeout = "90s"
jitter = "1m"
start = 2026-12-24
end = "2027-12-24T18:00:00"
priority = -7
running_max = 4
group = "ropes"

[groups.ropes]
running_max = 6

[[task]]
name = "notify"
every = "15m"
http = { url = "https://bell.example/ring?token=${SECRET}", method = "PUT", headers = { Authorization = "Bearer ${SECRET}" }, body = "ding", accept = [202, "300-304"], timeout = "5s" }
delivery = "at least once"
timeout = "none"
missed = { mode = "latest", window = "1d" }

[[task]]
name = "clean"
kron = "0 0 3 * *"
shell = "rm -rf \"${TMPDIR:-/tmp}\"/bells"

[[task]]
name = "new year"
at = 2030-01-01T00:00:00
command = ["ring", "--all"]

[[task]]
name = "vespers"
cron = ["0 18 * * SUN", "H(0-29) 17 * * MON-SAT"]
except = [2026-12-24, "2026-12-26..2026-12-28"]
clock_change = { gap = "skip", fold = "both" }
command = ["ring", "--low"]
"#;

fn read(text: &str) -> TaskFile {
    task_file(text).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn command(file: &TaskFile, place: usize) -> &CommandSpec {
    match &file.tasks[place].work {
        Work::Command(command) => command,
        Work::Http(_) => panic!("not a command"),
    }
}

fn request(file: &TaskFile, place: usize) -> &HttpSpec {
    match &file.tasks[place].work {
        Work::Http(request) => request,
        Work::Command(_) => panic!("not a request"),
    }
}

fn argv(command: &CommandSpec) -> Vec<&str> {
    match &command.program {
        Program::Argv { program, arguments } => {
            let words = std::iter::once(program).chain(arguments);
            words.map(|word| word.expose()).collect()
        }
        Program::Shell { .. } => panic!("not an argv"),
    }
}

fn tick(text: &str) -> Tick {
    Tick::at_or_before(text.parse().unwrap())
}

#[test]
fn the_smallest_file() {
    let file =
        read("[[task]]\nname = \"bell\"\ncron = \"30 9 * * MON-FRI\"\ncommand = [\"ring\"]\n");
    let [task] = file.tasks.as_slice() else {
        panic!("{} tasks", file.tasks.len());
    };
    assert_eq!((task.name.as_str(), task.line), ("bell", 1));
    assert_eq!(task.schedule_written, "cron = \"30 9 * * MON-FRI\"");
    assert_eq!(task.timezone.chosen, ZoneChosen::ByDefault);
    assert_eq!(task.timezone.zone.iana_name(), Some("UTC"));
    assert_eq!(task.concurrency, Concurrency::ONE);
    assert_eq!(task.policies.delivery, Delivery::AtMostOnce);
    assert_eq!(task.policies.overlap, Overlap::Allow);
    assert_eq!(task.policies.missed, Missed::Skip);
    assert_eq!(task.policies.placement, Placement::Race);
    assert_eq!(task.policies.retry, None);
    assert_eq!(task.policies.timeout, None);
    let command = command(&file, 0);
    assert_eq!(command.cwd.as_deref(), Some(Path::new("/srv/bells")));
    assert_eq!(command.inherit, Inherit::default());
    assert!(command.variables.is_empty() && command.run_as.is_none());
    assert!(file.store.url.is_none() && file.warnings.is_empty());
    let next = task.schedule.next_after(tick("2026-01-02T09:30:00Z"));
    assert_eq!(next, Some(tick("2026-01-05T09:30:00Z")));
}

#[test]
fn every_policy_by_its_word() {
    let file = read(EVERYTHING);
    let policies = &file.tasks[0].policies;
    let Delivery::AtLeastOnce { attempts_max } = policies.delivery else {
        panic!("{:?}", policies.delivery);
    };
    assert_eq!(attempts_max.get(), 5);
    assert_eq!(policies.lease, Lease::new(Duration::from_secs(45)).unwrap());
    assert_eq!(policies.overlap, Overlap::QueueOne);
    let window = Duration::from_secs(2 * 60 * 60);
    assert_eq!(policies.missed, Missed::All { window });
    assert_eq!(policies.placement, Placement::Distinct);
    assert_eq!(policies.labels["tower"], "north");
    let retry = Retry::times(3).unwrap();
    let retry = retry.backoff(Duration::from_secs(2), Duration::from_secs(30));
    assert_eq!(policies.retry, Some(retry));
    assert_eq!(policies.timeout, Some(Duration::from_secs(90)));
    assert_eq!(policies.jitter, Some(Duration::from_secs(60)));
    // Local times of the task's zone, where they have no offset.
    assert_eq!(policies.start, Some(tick("2026-12-23T23:00:00Z")));
    assert_eq!(policies.end, Some(tick("2027-12-24T17:00:00Z")));
    assert_eq!(policies.priority, -7);
    assert_eq!(policies.running_max, Some(4));
    assert_eq!(policies.group.as_deref(), Some("ropes"));
    assert_eq!(
        file.groups.into_iter().collect::<Vec<_>>(),
        [("ropes".to_owned(), 6)]
    );
    assert_eq!(file.tasks[0].concurrency.get(), 3);
}

fn policies(lines: &str) -> Policies {
    let text = format!("[[task]]\nname = \"a\"\nevery = \"1h\"\nshell = \"x\"\n{lines}\n");
    read(&text).tasks.remove(0).policies
}

#[test]
fn each_choice_of_a_policy() {
    for (word, overlap) in [
        ("allow", Overlap::Allow),
        ("skip", Overlap::Skip),
        ("queue one", Overlap::QueueOne),
        ("cancel the earlier", Overlap::CancelEarlier),
    ] {
        assert_eq!(policies(&format!("overlap = \"{word}\"")).overlap, overlap);
    }
    assert_eq!(
        policies("delivery = \"at most once\"").delivery,
        Delivery::AtMostOnce
    );
    assert_eq!(policies("missed = \"skip\"").missed, Missed::Skip);
    let window = Duration::from_millis(1);
    assert_eq!(
        policies("missed = { mode = \"latest\", window = \"1ms\" }").missed,
        Missed::Latest { window }
    );
    assert_eq!(
        policies("placement = \"distinct\"").placement,
        Placement::Distinct
    );
    assert_eq!(
        policies("retry = { attempts = 2 }").retry,
        Some(Retry::times(1).unwrap())
    );
    let longer = "retry = { attempts = 1000, backoff = \"2m\" }";
    let (two_minutes, retry) = (Duration::from_secs(120), Retry::times(999).unwrap());
    assert_eq!(
        policies(longer).retry,
        Some(retry.backoff(two_minutes, two_minutes))
    );
}

#[test]
fn a_task_file_takes_the_words_of_the_library() {
    for overlap in Overlap::ALL {
        let line = format!("overlap = \"{overlap}\"");
        assert_eq!(policies(&line).overlap, overlap);
    }
    for placement in Placement::ALL {
        let line = format!("placement = \"{placement}\"");
        assert_eq!(policies(&line).placement, placement);
    }
    for missed in [Missed::WORDS[1], Missed::WORDS[2]] {
        let line = format!("missed = {{ mode = \"{missed}\", window = \"1h\" }}");
        assert_eq!(policies(&line).missed.as_str(), missed);
    }
    for delivery in [Delivery::WORDS[0], Delivery::WORDS[1]] {
        let line = format!("delivery = \"{delivery}\"");
        assert_eq!(policies(&line).delivery.as_str(), delivery);
    }
}

/// In quotes where a task file has it, else as the name of a policy: `*Race*`.
#[test]
fn the_page_on_policies_has_every_word() {
    let page = include_str!("../../../../docs/policies.md").to_lowercase();
    let words = Overlap::ALL.map(Overlap::as_str).into_iter();
    let words = words.chain(Placement::ALL.map(Placement::as_str));
    let words = words.chain(Missed::WORDS).chain(Delivery::WORDS);
    let is_told =
        |word: &str| page.contains(&format!("\"{word}\"")) || page.contains(&format!("*{word}*"));
    let missing: Vec<&str> = words.filter(|word| !is_told(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_the_defaults_say_holds_unless_a_task_says_otherwise() {
    let file = read(EVERYTHING);
    assert_eq!(
        file.tasks[2].policies.timeout,
        Some(Duration::from_secs(600))
    );
    assert_eq!(file.tasks[1].policies.timeout, None, "taken back");
    assert!(
        file.tasks
            .iter()
            .all(|task| task.timezone.zone.iana_name() == Some("Europe/Paris"))
    );
    let angelus = command(&file, 0);
    assert_eq!(angelus.cwd.as_deref(), Some(Path::new("/srv/tower")));
    assert_eq!(
        (
            angelus.variables["TONE"].expose(),
            angelus.variables["TOKEN"].expose()
        ),
        ("e", "hunter2")
    );
    let clean = command(&file, 2);
    assert_eq!(clean.cwd.as_deref(), Some(Path::new("/srv/bells/work")));
    assert_eq!(clean.variables["TONE"].expose(), "c");
}

#[test]
fn variables_are_filled_in_and_never_shown() {
    let file = read(EVERYTHING);
    assert_eq!(argv(command(&file, 0)), ["ring", "--tone", "d", "$5"]);
    let request = request(&file, 1);
    assert_eq!(
        request.url.as_str(),
        "https://bell.example/ring?token=hunter2"
    );
    assert_eq!(request.headers[0].1.expose(), "Bearer hunter2");
    let shown = format!("{file:?} {} {}", file.tasks[0].work, file.tasks[1].work);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("PUT https://bell.example/ring?token=${SECRET}"));
}

#[test]
fn what_stands_for_the_shell_is_left_to_it() {
    let file = read(EVERYTHING);
    let Program::Shell { shell, script } = &command(&file, 2).program else {
        panic!("not for a shell");
    };
    assert_eq!(shell, "/bin/sh", "whatever shell the user has");
    assert_eq!(script, "rm -rf \"${TMPDIR:-/tmp}\"/bells");
}

#[test]
fn a_request_in_every_respect() {
    let file = read(EVERYTHING);
    let request = request(&file, 1);
    assert_eq!(
        (
            request.method.as_str(),
            request.body.as_ref().unwrap().expose()
        ),
        ("PUT", "ding")
    );
    assert_eq!(request.accept.to_string(), "202, 300-304");
    assert_eq!(request.timeout, Duration::from_secs(5));
}

#[test]
fn a_request_with_nothing_but_a_url() {
    let text =
        "[[task]]\nname = \"a\"\nevery = \"1h\"\nhttp = { url = \"http://localhost:8080\" }\n";
    let file = read(text);
    let bare = request(&file, 0);
    assert_eq!(
        (bare.method.as_str(), bare.accept.to_string().as_str()),
        ("GET", "2xx")
    );
    assert_eq!(bare.timeout, Duration::from_secs(60));
    let file = read(&text.replace(" }", ", body = \"x\" }"));
    assert_eq!(request(&file, 0).method.as_str(), "POST");
}

#[test]
fn schedules_of_each_language_in_the_zone_of_the_task() {
    let file = read(EVERYTHING);
    let next = |place: usize, after: &str| {
        let next = file.tasks[place].schedule.next_after(tick(after));
        next.map(|tick| tick.timestamp().to_string())
    };
    assert_eq!(
        next(0, "2026-07-01T05:00:00Z").as_deref(),
        Some("2026-07-01T10:00:00Z")
    );
    assert_eq!(
        next(1, "2026-07-01T05:00:00Z").as_deref(),
        Some("2026-07-01T05:15:00Z")
    );
    assert_eq!(
        next(2, "2026-07-01T05:00:00Z").as_deref(),
        Some("2026-07-02T01:00:00Z")
    );
    assert_eq!(
        next(3, "2026-07-01T05:00:00Z").as_deref(),
        Some("2029-12-31T23:00:00Z")
    );
    assert_eq!(next(3, "2029-12-31T23:00:00Z"), None);
    let kron_alone = read("[[task]]\nname = \"a\"\nkron = \"0 0 3 * *\"\nshell = \"x\"\n");
    let next = kron_alone.tasks[0]
        .schedule
        .next_after(tick("2026-07-01T05:00:00Z"));
    assert_eq!(
        next,
        Some(tick("2026-07-02T03:00:00Z")),
        "UTC, unless said otherwise"
    );
}

#[test]
fn the_store_and_its_namespace() {
    let store = read(EVERYTHING).store;
    assert_eq!(store.url.unwrap().expose(), "sqlite:state/bells.db");
    assert_eq!(store.namespace.unwrap().as_str(), "notre-dame");
}

#[test]
fn other_ways_to_write_the_same() {
    let plain = "[[task]]\nname = \"a\"\nevery = \"1h\"\ncommand = [\"x\"]\n";
    for text in [
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        plain.trim_end().to_owned(),
        "task = [{ name = \"a\", every = \"1h\", command = [\"x\"] }]".to_owned(),
        plain
            .replace("\"a\"", "'a'")
            .replace("[\"x\"]", "[\n  \"x\", # the program\n]"),
    ] {
        let file = read(&text);
        assert_eq!(file.tasks.len(), 1, "{text}");
        assert_eq!(file.tasks[0].name.as_str(), "a", "{text}");
        assert_eq!(argv(command(&file, 0)), ["x"], "{text}");
    }
}

#[test]
fn names_of_any_script_and_as_long_as_allowed() {
    for name in ["колокол", "鐘 🔔", "a/b:c", &"x".repeat(200)] {
        let file = read(&format!(
            "[[task]]\nname = \"{name}\"\nevery = \"1h\"\nshell = \"x\"\n"
        ));
        assert_eq!(file.tasks[0].name.as_str(), name);
    }
}

#[test]
fn the_task_files_of_the_documentation_are_read() {
    let text = include_str!("../../../../docs/policies.md");
    let mut names = Vec::new();
    for block in text.split("```toml\n").skip(1) {
        let (toml, _) = block.split_once("```").unwrap();
        names.extend(
            task_file(toml)
                .unwrap()
                .tasks
                .into_iter()
                .map(|task| task.name.to_string()),
        );
    }
    let expected = [
        "backup",
        "report",
        "invoices",
        "reindex",
        "fetch",
        "thumbnails",
        "vacuum",
        "sale",
    ];
    assert_eq!(names, expected);
}
