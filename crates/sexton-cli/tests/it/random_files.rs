//! No text makes the reader panic, or keeps it busy: from seeds, which a failure names.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sexton_cli::crontab::Form;
use sexton_cli::diagnostic::Source;
use sexton_cli::{config, crontab};

use crate::reading::{Villagers, environment, task_file};

/// Far longer than any file of these takes: a busy machine fails no test, an endless search does.
const FILE_TIME_MAX: Duration = Duration::from_secs(60);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn one_of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }
}

/// Reads `text` as a task file and as a crontab of both forms.
fn read_all_ways(text: &str) {
    let _ = task_file(text).map_err(|rejected| rejected.to_string());
    for form in [Form::User, Form::System] {
        let read = crate::reading::crontab(text, form);
        let _ = read.map_err(|rejected| rejected.to_string());
    }
}

/// Runs `check` with each seed, and says with which one it panicked or did not come back.
fn for_each_seed(count: u64, mut check: impl FnMut(&mut Random) + Send + 'static) {
    let (begun, seeds) = mpsc::channel();
    let checking = thread::spawn(move || {
        for seed in 0..count {
            begun.send(seed).unwrap();
            check(&mut Random(seed));
        }
    });
    let mut last = None;
    loop {
        match seeds.recv_timeout(FILE_TIME_MAX) {
            Ok(seed) => last = Some(seed),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("still busy with seed {last:?}"),
        }
    }
    assert!(checking.join().is_ok(), "failed with seed {last:?}");
}

const PIECES: &[&str] = &[
    "[[task]]\n",
    "[task]\n",
    "[store]\n",
    "[defaults]\n",
    "[[task.env]]\n",
    "name = ",
    "cron = ",
    "kron = ",
    "every = ",
    "at = ",
    "timezone = ",
    "concurrency = ",
    "command = ",
    "shell = ",
    "http = ",
    "url = ",
    "env = ",
    "cwd = ",
    "delivery = ",
    "overlap = ",
    "missed = ",
    "placement = ",
    "retry = ",
    "timeout = ",
    "jitter = ",
    "start = ",
    "except = ",
    "clock_change = ",
    "file = ",
    "gap = ",
    "fold = ",
    "\"skip\"",
    "\"both\"",
    "\"H H(0-5) * * *\"",
    "\"~ 3~5 * * *\"",
    "\"2026-12-24..2027-01-02\"",
    "2026-12-24",
    "..",
    "~",
    "H",
    "H(",
    "end = ",
    "priority = ",
    "mode = ",
    "window = ",
    "\"bell\"",
    "\"@daily\"",
    "\"* * * * *\"",
    "\"0 0 31 2 *\"",
    "\"1h\"",
    "\"ring\"",
    "\"${SECRET}\"",
    "\"${NOT_SET}\"",
    "\"${\"",
    "\"Europe/Paris\"",
    "\"at least once\"",
    "\"skip\"",
    "\"latest\"",
    "\"https://a/\"",
    "\"sqlite:a.db\"",
    "\"\"\"",
    "'''",
    "\"",
    "'",
    "2026-12-24T18:00:00Z",
    "9999-12-31",
    "18:00:00",
    "0",
    "1",
    "-1",
    "1.5",
    "0xff",
    "99999999999999999999",
    "nan",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    "=",
    ".",
    "#",
    "\\",
    "\\u0000",
    "\\U00110000",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "🔔",
    "*",
    "*/5",
    "*/0",
    "1-5",
    "5-1",
    "L",
    "15W",
    "5#2",
    "60",
    "@reboot",
    "@daily",
    "@",
    "root",
    "news",
    "nobody-at-all",
    "%",
    "\\%",
    "MAILTO=x",
    "RANDOM_DELAY=",
    "# sexton: name = \"",
    "~",
    "0~59",
    "-",
    "CRON_TZ=",
    "SHELL=/bin/bash",
    "PATH=\"",
    "ring",
    "/usr/bin/ring --loud",
];

#[test]
fn texts_of_random_pieces() {
    for_each_seed(1_500, |random| {
        let count = random.below(40);
        let text: String = (0..count).map(|_| random.one_of(PIECES)).collect();
        read_all_ways(&text);
    });
}

#[test]
fn lines_that_are_nearly_right() {
    const TIMES: &[&str] = &[
        "*", "0", "59", "*/7", "1-3", "22-2", "1,2", "sun", "jan-mar", "?", "L", "7", "60", "1-",
        "/", ",", "-",
    ];
    for_each_seed(1_000, |random| {
        let mut text = String::new();
        for _ in 0..random.below(8) {
            for _ in 0..4 + random.below(3) {
                text.push_str(random.one_of(TIMES));
                text.push_str(random.one_of(&[" ", "\t", "  "]));
            }
            text.push_str(random.one_of(&["root ", "", "news\t"]));
            text.push_str(random.one_of(&["ring", "ring%a%b", "date +\\%F", "", "%"]));
            text.push_str(random.one_of(&["\n", "\r\n", ""]));
        }
        read_all_ways(&text);
    });
}

#[test]
fn bytes_of_any_kind() {
    let folder = tempfile::tempdir().unwrap();
    for_each_seed(1_000, move |random| {
        let length = random.below(300);
        // Half of them are text at least.
        let ascii = random.below(2) == 0;
        let byte = |random: &mut Random| {
            let byte = u8::try_from(random.below(256)).unwrap();
            if ascii { byte & 0x7f } else { byte }
        };
        let bytes: Vec<u8> = (0..length).map(|_| byte(random)).collect();
        load_both_ways(folder.path(), &bytes);
    });
}

/// Changes a text in one to six places.
fn change(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        let until = (at + random.below(30)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..until)),
            1 => bytes.truncate(at),
            2 => bytes.extend_from_within(at..until),
            3 => {
                let piece = random.one_of(PIECES).bytes();
                bytes.splice(at..at, piece);
            }
            _ => bytes[at] ^= 1 << random.below(8),
        }
        if bytes.is_empty() {
            break;
        }
    }
}

fn load_both_ways(folder: &Path, bytes: &[u8]) {
    let path = folder.join("bells");
    fs::write(&path, bytes).unwrap();
    let _ = config::load(&path, &environment()).map_err(|rejected| rejected.to_string());
    let read = crontab::load(&path, Form::System, None, &environment(), &Villagers);
    let _ = read.map_err(|rejected| rejected.to_string());
}

#[test]
fn good_files_with_bytes_changed() {
    let debian = "tests/fixtures/crontabs/etc/cron.d";
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join(debian);
    let mut good: Vec<Vec<u8>> = fs::read_dir(debian)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    good.sort();
    good.extend(vec![crate::good_files::EVERYTHING.into(); good.len()]);
    let folder = tempfile::tempdir().unwrap();
    for_each_seed(1_500, move |random| {
        let mut bytes = good[random.below(good.len())].clone();
        change(random, &mut bytes);
        load_both_ways(folder.path(), &bytes);
    });
}

/// A file whose schedule has all that a task file can say of one.
const BELLS: &str = "[store]\nnamespace = \"tower\"\n\n[[task]]\nname = \"bell\"\nshell = \"ring\"\n\
    cron = [\"H H(0-5) * * *\", \"0 9 ~ * MON~FRI\"]\ntimezone = \"Europe/Paris\"\n\
    except = [2026-12-24, \"2026-12-26..2026-12-28\", { file = \"holidays.txt\" }]\n\
    clock_change = { gap = \"skip\", fold = \"last\" }\n\n[[task]]\nname = \"kron\"\nshell = \"ring\"\n\
    kron = [\"0 0/15 * * *\", \"0 0 9 * * 1-5w\"]\nexcept = 2026-12-25\nclock_change = { fold = \"both\" }\n";
const HOLIDAYS: &str =
    "# Holidays\n2026-12-24\n2026-12-26..2027-01-02 # and a range\n\n2027-05-01\n";

/// Whether a message names a line of a file of the folder.
fn names_a_line(message: &str, folder: &Path) -> bool {
    let folder = format!("{}/", folder.display());
    message.match_indices(&folder).any(|(at, _)| {
        let name = message[at..].split([' ', ',', '\n']).next().unwrap();
        let mut parts = name.split(':').skip(1);
        parts.next().is_some_and(|line| line.parse::<u32>().is_ok())
    })
}

#[test]
fn schedules_and_their_holidays_with_bytes_changed() {
    let folder = tempfile::tempdir().unwrap();
    for_each_seed(3_000, move |random| {
        let folder = folder.path();
        let (tasks, holidays) = (folder.join("bells.toml"), folder.join("holidays.txt"));
        let mut changed = [BELLS.as_bytes().to_vec(), HOLIDAYS.as_bytes().to_vec()];
        let which = random.below(3).min(1);
        change(random, &mut changed[which]);
        fs::write(&tasks, &changed[0]).unwrap();
        fs::write(&holidays, &changed[1]).unwrap();
        let told = match config::load(&tasks, &environment()) {
            Ok(file) => file.warnings,
            Err(rejected) => rejected
                .to_string()
                .split("\n\n")
                .map(str::to_owned)
                .collect(),
        };
        for message in told {
            let is_problem = message.starts_with("error") || message.starts_with("warning");
            assert!(!is_problem || names_a_line(&message, folder), "{message}");
        }
    });
}

/// Lines of crontabs in every shape that is read, one a word of the test's own.
const LINES: &[&[u8]] = &[
    b"-*/15 * * * * root ring\n",
    b"0~59 3 * * * root ring\n",
    b"# sexton: name = \"bell\"\n@daily root ring\n",
    b"MAILTO=caf\xe9\nRANDOM_DELAY=45\nCRON_TZ=Europe/Paris\n",
    b"17 *\t* * *\troot\tTOKEN='a b' ring%\xe9\n",
    b"\x0c\n# \xff\xfe\n",
    b"* * * * * * * ring\n",
    b"0 22-2 * * fri-sun root ring\n",
];

/// Thousands of crontabs with pieces and bytes changed: each is read or refused, and all that is told
/// of a line names it.
#[test]
fn crontabs_with_anything_changed_name_the_line_of_each_message() {
    let shapes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crontabs/shapes");
    let mut good: Vec<Vec<u8>> = fs::read_dir(shapes)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    good.sort();
    good.push(LINES.concat());
    for_each_seed(12_000, move |random| {
        let mut bytes = good[random.below(good.len())].clone();
        for _ in 0..=random.below(8) {
            change_crontab(&mut bytes, random);
        }
        let form = [Form::User, Form::System][random.below(2)];
        let source = Source::of_bytes("bells", bytes.clone());
        let folder = Path::new("/srv/bells");
        let read = crontab::read(&source, folder, form, None, &environment(), &Villagers);
        let told = match read {
            Ok(file) => file.warnings,
            Err(rejected) => vec![rejected.to_string()],
        };
        let lines = bytes.split(|byte| *byte == b'\n').count();
        for text in told.iter().flat_map(|told| told.split("\n\n")) {
            assert_names_a_line(text, lines);
        }
    });
}

fn change_crontab(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let until = (at + random.below(30)).min(bytes.len());
    match random.below(6) {
        0 => drop(bytes.drain(at..until)),
        1 => bytes.truncate(at),
        2 => bytes.extend_from_within(at..until),
        3 => drop(bytes.splice(at..at, random.one_of(PIECES).bytes())),
        4 => drop(bytes.splice(at..at, LINES[random.below(LINES.len())].iter().copied())),
        _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => {}
    }
}

/// Whether a message says where; those about a crontab as a whole are few.
fn assert_names_a_line(text: &str, lines: usize) {
    let is_whole = [
        "warning: there is no task that can be run",
        "error: no line can be run",
        "bells: ",
    ];
    if text.is_empty() || is_whole.iter().any(|whole| text.starts_with(whole)) {
        return;
    }
    let line = text
        .split_once("--> bells:")
        .and_then(|(_, place)| place.split(':').next()?.parse::<usize>().ok());
    let line = line.unwrap_or_else(|| panic!("no line is named: {text}"));
    assert!((1..=lines).contains(&line), "{text}");
}

#[test]
fn files_that_are_large_and_bad_in_every_place() {
    const PIECES: &[&str] = &[
        "[",
        "{",
        "\"",
        "\n",
        "a",
        "a.",
        "a=",
        "a=1\n",
        "[a]\n",
        "[[a]]\n",
        "x = ?, ",
        "[[task]]\n",
        "task=[",
        "* * * * * a\n",
        "* ",
        "%",
        "@reboot a\n",
        "A=b\n",
        "\u{1b}",
        "\u{feff}",
        "${",
        "0 0 31 2 * a\n",
        "[[task]]\ntimezone=\"x\"\n",
        "[[task]]\nname=\"a\"\n",
    ];
    let repeated = |piece: &str| piece.repeat(200_000 / piece.len());
    let mut texts: Vec<String> = PIECES.iter().map(|piece| repeated(piece)).collect();
    let keys: String = (0..20_000).map(|key| format!("k{key} = 1\n")).collect();
    texts.push(format!("[[task]]\n{keys}"));
    texts.push(keys);
    texts.push(format!("[[task]]\ncwd = \"{}\"\n", repeated("${SECRET}")));
    texts.push(format!("[[task]]\ncommand = [{}]\n", repeated("3, ")));
    let mut texts = texts.into_iter();
    for_each_seed(texts.len() as u64, move |_| {
        read_all_ways(&texts.next().unwrap());
    });
}
