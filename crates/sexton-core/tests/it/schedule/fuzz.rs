//! No text makes a parser panic or search without end, and what is read can be used.

use proptest::prelude::*;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{
    ClockChanges, Cron, Every, Fold, Gap, Kron, Once, Schedule, Spread, zone,
};
use sexton_core::tick::Tick;
use sexton_core::{instant, length};

use super::tz;

/// Uses what was read: it is due sometime, describes itself, and keeps its word at both ends of time.
fn exercise(schedule: &dyn Schedule) {
    assert!(
        schedule.next_after(Tick::MIN).is_some(),
        "never due: {schedule:?}"
    );
    assert!(!schedule.describe().is_empty());
    assert_eq!(schedule.next_after(Tick::MAX), None);
    let mut after: Tick = "2026-03-29T00:59:00Z".parse().unwrap();
    for _ in 0..5 {
        let Some(next) = schedule.next_after(after) else {
            break;
        };
        assert!(next > after);
        after = next;
    }
}

fn spread() -> Spread {
    Spread::of(&Namespace::default(), &TaskName::new("backup").unwrap())
}

/// Uses what was read with each choice for clock changes that leaves anything of it.
fn exercise_choices(cron: &Cron) {
    let Ok(cron) = cron.clone().in_tz(tz("Europe/Paris")) else {
        return;
    };
    for gap in [Gap::Run, Gap::Skip] {
        for fold in [Fold::First, Fold::Last, Fold::Both] {
            let chosen = cron.clone().on_clock_changes(ClockChanges { gap, fold });
            if let Ok(chosen) = chosen {
                exercise(&chosen);
            }
        }
    }
}

fn read_all(text: &str) {
    if let Ok(cron) = Cron::parse(text) {
        if let Ok(cron) = cron.clone().in_tz(tz("UTC")) {
            exercise(&cron);
        }
        if let Ok(cron) = cron.clone().in_tz(tz("Europe/Paris")) {
            exercise(&cron);
        }
        assert_eq!(Cron::parse_spread(text, &spread()), Ok(cron));
    } else if let Ok(cron) = Cron::parse_spread(text, &spread()) {
        assert!(text.contains(['H', 'h', '~']), "{text}");
        exercise(&cron);
        exercise_choices(&cron);
    }
    if let Ok(kron) = Kron::parse(text) {
        exercise(&kron);
        if let Ok(kron) = kron.in_tz(tz("Australia/Lord_Howe")) {
            exercise(&kron);
        }
    }
    if let Ok(every) = Every::parse(text) {
        exercise(&every);
    }
    let _ = Once::parse(text);
    if let Ok(tick) = instant::parse_in(text, &tz("Europe/Paris")) {
        assert_eq!(instant::parse(&tick.to_string()), Ok(tick), "{text}");
    }
    if let Ok(read) = length::parse(text) {
        assert_eq!(length::parse(&length::text(read)), Ok(read), "{text}");
        assert_eq!(length::parse(&length::in_words(read)), Ok(read), "{text}");
    }
    let _ = zone::parse(text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text(text in any::<String>()) {
        read_all(&text);
    }

    #[test]
    fn any_text_in_the_letters_of_the_languages(text in "[-0-9*/,#?LWFlwfomsdh@ ]{0,60}") {
        read_all(&text);
    }

    #[test]
    fn near_misses_of_cron(
        fields in proptest::collection::vec(
            prop_oneof![
                Just("*".to_owned()),
                "[0-9]{1,2}", "[0-9]{1,2}-[0-9]{1,2}(/[0-9]{1,2})?", r"\*/[0-9]{1,2}", "[0-9]{1,2}(,[0-9]{1,2}){1,3}",
                "(L|LW|[0-9]{1,2}W|L-[0-9]{1,2}|[0-7]#[0-6]|[0-7]L|\\?)",
                r"H(\([0-9]{1,2}-[0-9]{1,2}\))?(/[0-9]{1,2})?", "[0-9]{0,2}~[0-9]{0,2}(/[0-9]{1,2})?", "(JAN|MON|SUN|DEC|mon-fri)", "[12][0-9]{3}(-[0-9]{4})?",
            ],
            4..9,
        ),
    ) {
        read_all(&fields.join(" "));
    }

    #[test]
    fn near_misses_of_kron(
        fields in proptest::collection::vec(
            prop_oneof![
                Just("*".to_owned()), Just("L".to_owned()), Just("F".to_owned()),
                "[0-9]{1,2}", "[0-9]{1,2}-([0-9]{1,2}|L)", r"\*?/[0-9]{1,2}", "[0-9]{1,2}/[0-9]{1,2}", "[0-9]{1,2}(,[0-9]{1,2}){1,3}",
            ],
            4..7,
        ),
        rest in "( [0-9]{4}(/[0-9])?)?( -?[0-9]{1,4}o)?( [0-7](-[0-7])?w)?( [0-9]{1,4}ms)?",
    ) {
        read_all(&format!("{}{rest}", fields.join(" ")));
    }

    #[test]
    fn one_letter_changed(
        text in proptest::sample::select(vec![
            "*/5 9-17 * JAN-MAR MON-FRI", "H H(0-5)/2 ~ * MON~FRI", "0 0 0 LW,15W,L-3 * 5#2 2026-2040/2", "0/5,L F * 28,29 * 1-5w 60o 0,500ms 2026", "1d2h3m4s5ms", "2 weeks 1 day 5 mins",
            "2026-01-01T00:00:00+01:00", "Europe/Paris", "@daily",
        ]),
        place in 0_usize..60, letter in any::<char>(),
    ) {
        let mut letters: Vec<char> = text.chars().collect();
        let place = place % letters.len();
        letters[place] = letter;
        read_all(&letters.iter().collect::<String>());
        letters.remove(place);
        read_all(&letters.iter().collect::<String>());
    }
}

#[test]
fn expressions_that_took_others_long_are_answered() {
    // Each of these keeps some cron library busy for seconds.
    for text in [
        ", * * * *",
        "0 0 31 2 *",
        "0 0 30 2 *",
        "*/61 * * * *",
        "0 0 31 2,4,6,9,11 *",
        "0 0 0 29 2 * 2100",
    ] {
        assert!(Cron::parse(text).is_err(), "{text}");
    }
    // The longest list of years, and the rarest date: a leap day on the fifth Sunday, in the last year of a span.
    let years: Vec<_> = (0..49)
        .map(|century| (1970 + century * 100).to_string())
        .collect();
    read_all(&format!("0 0 0 29 2 ? {}", years.join(",")));
    read_all("0 0 0 28 1 6w 9999");
    read_all("* * * * * * 9999");
}
