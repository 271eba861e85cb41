//! Whose zone rules count, and how replicas notice that theirs differ.

use std::path::Path;
use std::sync::Arc;

use insta::assert_snapshot;
use jiff::civil::date;
use jiff::tz::{Offset, TimeZone};
use sexton_core::schedule::zone::{Database, Fingerprint, Source, Substitute, ZoneRules};
use sexton_core::schedule::{Bounded, Cron, Every, Except, Kron, Once, Schedule, Union};
use sexton_testkit::tzif;
use tempfile::TempDir;

use super::{cron, cron_in, first_ticks, kron, tick, tz};

const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// The same offsets under other names.
const OTHER_WORDS: &str = "AAA-1BBB,M3.5.0,M10.5.0/3";
/// Summer time ends a week earlier.
const A_WEEK_EARLIER: &str = "CET-1CEST,M3.5.0,M10.4.0/3";

/// A folder of zone rules.
struct Rules(TempDir);

impl Rules {
    fn new() -> Rules {
        Rules(tempfile::tempdir().unwrap())
    }

    /// With a file in it, here that of a zone.
    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Rules {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn database(&self, source: Source) -> Database {
        Database::at(source, self.path())
    }
}

fn named(rule: &str) -> TimeZone {
    TimeZone::tzif("Europe/Paris", &tzif::slim(rule)).unwrap()
}

/// A zone as a machine has it whose `/etc/localtime` is a file.
fn unnamed(rule: &str) -> TimeZone {
    TimeZone::tzif("localtime", &tzif::slim(rule)).unwrap()
}

#[test]
fn a_fingerprint_tells_rules_apart_and_not_their_form() {
    let paris = Fingerprint::of(&named(CENTRAL_EUROPE));
    let fat = TimeZone::tzif("Europe/Paris", &tzif::fat(CENTRAL_EUROPE)).unwrap();
    assert!(tzif::fat(CENTRAL_EUROPE).len() > 5 * tzif::slim(CENTRAL_EUROPE).len());
    for same in [
        fat,
        TimeZone::posix(CENTRAL_EUROPE).unwrap(),
        TimeZone::posix(OTHER_WORDS).unwrap(),
        unnamed(CENTRAL_EUROPE),
    ] {
        assert_eq!(Fingerprint::of(&same), paris, "{same:?}");
    }
    for other in [named(A_WEEK_EARLIER), named("CET-1"), tz("Europe/London")] {
        assert_ne!(Fingerprint::of(&other), paris, "{other:?}");
    }
    // Part of definitions in stores: no version may change it.
    assert_snapshot!(paris, @"ddc2d7f3595cfd1e");
    assert_snapshot!(Fingerprint::of(&TimeZone::UTC), @"e220a8397b1dcdaf");
}

#[test]
fn a_fingerprint_is_read_as_it_is_written() {
    let paris = Fingerprint::of(&named(CENTRAL_EUROPE));
    assert_eq!(paris.to_string().parse(), Ok(paris));
    for text in ["", "1f", "+1f00112233445566", "xx00112233445566"] {
        assert!(text.parse::<Fingerprint>().is_err(), "{text}");
    }
}

#[test]
fn the_zones_of_a_schedule_are_those_of_all_that_it_is_made_of() {
    let names = |schedule: &dyn Schedule| {
        let zones = schedule.zones();
        let names = zones
            .iter()
            .map(|zone| zone.iana_name().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let paris = || Arc::new(cron_in("0 9 * * *", "Europe/Paris")) as Arc<dyn Schedule>;
    let tokyo = || {
        let kron = kron("0 0 9 * *").in_tz(tz("Asia/Tokyo")).unwrap();
        Arc::new(kron) as Arc<dyn Schedule>
    };
    assert_eq!(names(&paris()), ["Europe/Paris"]);
    assert_eq!(names(&tokyo()), ["Asia/Tokyo"]);
    let boxed: Box<dyn Schedule> = Box::new(cron_in("0 9 * * *", "Europe/Paris"));
    assert_eq!(names(&boxed), ["Europe/Paris"]);
    let union = Union::new([paris(), tokyo()]).unwrap();
    assert_eq!(names(&union), ["Europe/Paris", "Asia/Tokyo"]);
    let start = Some(tick("2026-01-01T00:00:00Z").timestamp());
    let bounded = Bounded::new(Arc::new(union), start, None).unwrap();
    assert_eq!(names(&bounded), ["Europe/Paris", "Asia/Tokyo"]);

    let except = || Except::new(paris()).in_tz(tz("America/New_York"));
    // Without dates that zone decides about nothing.
    assert_eq!(names(&except()), ["Europe/Paris"]);
    let on = except().on([date(2026, 5, 1)]).unwrap();
    assert_eq!(names(&on), ["Europe/Paris", "America/New_York"]);
    let when = except().when(tokyo()).unwrap();
    assert_eq!(names(&when), ["Europe/Paris", "Asia/Tokyo"]);
}

#[test]
fn what_is_the_same_everywhere_goes_by_no_zone() {
    let fixed = TimeZone::fixed(Offset::from_seconds(5 * 3600).unwrap());
    let at = tick("2026-01-01T00:00:00Z").timestamp();
    let schedules: [Box<dyn Schedule>; 6] = [
        Box::new(cron("0 9 * * *")),
        Box::new(cron("0 9 * * *").in_tz(fixed).unwrap()),
        Box::new(cron_in("0 9 * * *", "UTC")),
        Box::new(kron("0 0 9 * * 60o")),
        Box::new(Every::parse("90s").unwrap()),
        Box::new(Once::at(at)),
    ];
    for schedule in schedules {
        assert_eq!(schedule.zones(), [], "{schedule:?}");
    }
}

#[test]
fn a_definition_is_split_as_it_was_joined() {
    let rules = ["Europe/Paris", "Asia/Tokyo"].map(|name| ZoneRules::of(&tz(name)));
    for (definition, rules) in [
        ("at 09:00", &rules[..]),
        ("at 09:00; work a; zone rules b", &rules[..1]),
        ("at 09:00; zone rules x 1", &[]),
        ("", &[]),
    ] {
        let joined = ZoneRules::add_to(definition, rules);
        assert_eq!(ZoneRules::split_off(&joined), (definition, rules.to_vec()));
    }
}

#[test]
fn the_newest_rules_count() {
    let source = |rules: &Rules, source| {
        let database = rules.database(source);
        (database.source(), database.version())
    };
    let bundled = || {
        (
            Source::Bundled,
            Database::bundled_version().map(str::to_owned),
        )
    };
    let plain = || Rules::new().file("Europe/Paris", tzif::slim(CENTRAL_EUROPE));
    let versioned = |text: &str| plain().file("tzdata.zi", format!("# version {text}\n# x\n"));
    let machine = |version: Option<&str>| (Source::Machine, version.map(str::to_owned));

    for (rules, expected) in [
        (versioned("2001a"), bundled()),
        (versioned("2999z"), machine(Some("2999z"))),
        (plain().file("+VERSION", "2001a\n"), bundled()),
        (plain().file("+VERSION", "2999b\n"), machine(Some("2999b"))),
        // Its administrator may be ahead of us.
        (plain(), machine(None)),
        (versioned("unknown"), machine(None)),
    ] {
        assert_eq!(source(&rules, Source::Newest), expected);
    }
    let same = versioned(Database::bundled_version().unwrap());
    assert_eq!(source(&same, Source::Newest).0, Source::Machine);

    let old = versioned("2001a");
    assert_eq!(source(&old, Source::Machine), machine(Some("2001a")));
    assert_eq!(source(&old, Source::Bundled), bundled());
    let none = Rules::new();
    for any in Source::ALL {
        assert_eq!(source(&none, any), bundled(), "{any}");
    }
}

#[test]
fn the_rules_that_count_are_those_of_the_source() {
    let rules = Rules::new().file("Europe/Paris", tzif::slim("CET-1"));
    let of = |source| Fingerprint::of(&rules.database(source).zone("Europe/Paris").unwrap());
    assert_eq!(of(Source::Machine), Fingerprint::of(&named("CET-1")));
    assert_eq!(of(Source::Newest), of(Source::Machine));
    let summer_time = Database::of(Source::Bundled).zone("Europe/Paris").unwrap();
    assert_eq!(of(Source::Bundled), Fingerprint::of(&summer_time));
    assert_ne!(of(Source::Bundled), of(Source::Machine));
}

#[test]
fn a_zone_that_is_broken_or_missing_comes_from_the_other_rules_and_that_is_told() {
    let rules = Rules::new()
        .file("Europe/London", tzif::slim("GMT0BST,M3.5.0/1,M10.5.0"))
        .file("Europe/Paris", "TZif2, or what is left of it")
        .file("Europe/Berlin", tzif::without_rule(CENTRAL_EUROPE))
        .file("Company/Night", tzif::without_rule(CENTRAL_EUROPE));
    let told = |source, names: &[&str]| {
        let database = rules.database(source);
        for name in names {
            let zone = database.zone(name).unwrap();
            assert_eq!(zone.iana_name(), Some(*name));
        }
        let told = database.substitutes();
        let told: Vec<String> = told.iter().map(Substitute::to_string).collect();
        told.join("\n")
            .replace(&rules.path().display().to_string(), "DIR")
    };
    let known = [
        "Europe/London",
        "Europe/Paris",
        "Europe/Berlin",
        "US/Pacific",
        "Company/Night",
        "Europe/Paris",
    ];
    assert_snapshot!(told(Source::Machine, &known), @r#"
    time zone Europe/Berlin: DIR/Europe/Berlin says nothing of what comes behind its last change; the built-in rules count for it
    time zone Europe/Paris: DIR/Europe/Paris cannot be read as zone rules; the built-in rules count for it
    time zone US/Pacific: DIR does not have it; the built-in rules count for it
    "#);
    assert_snapshot!(told(Source::Bundled, &["Europe/Paris", "Company/Night"]), @"time zone Company/Night: the built-in rules do not have it; this machine's rules count for it");
    assert_snapshot!(told(Source::Bundled, &["Europe/Paris"]), @"");
}

#[test]
fn behind_the_last_change_of_a_file_without_a_rule_there_is_none() {
    let file = tzif::without_rule(CENTRAL_EUROPE);
    let zone = TimeZone::tzif("Europe/Paris", &file).unwrap();
    assert_ne!(
        Fingerprint::of(&zone),
        Fingerprint::of(&named(CENTRAL_EUROPE))
    );
    for expression in ["*/30 2 * * *", "30 2 * * *"] {
        let there = cron(expression).in_tz(zone.clone()).unwrap();
        for (from, offset) in [
            ("2037-01-01T00:00:00Z", None),
            ("2038-01-01T00:00:00Z", Some(1)),
        ] {
            let zone = offset.map(|hours| TimeZone::fixed(jiff::tz::offset(hours)));
            let zone = zone.unwrap_or_else(|| named(CENTRAL_EUROPE));
            let right = cron(expression).in_tz(zone).unwrap();
            assert_eq!(
                first_ticks(&there, from, 300),
                first_ticks(&right, from, 300),
                "{from}"
            );
        }
    }
}

#[test]
fn what_neither_has_or_can_read_is_refused() {
    let rules = Rules::new()
        .file("Europe/London", tzif::slim("GMT0BST,M3.5.0/1,M10.5.0"))
        .file("Company/Night", "TZif2, or what is left of it");
    let database = rules.database(Source::Newest);
    let refused = |name: &str| {
        let error = database.zone(name).unwrap_err().to_string();
        error.replace(&rules.path().display().to_string(), "DIR")
    };
    let errors = ["Company/Night", "Company/Day", "London", "/etc/passwd"].map(refused);
    assert_snapshot!(errors.join("\n"), @r#"
    no time zone is called "Company/Night"; DIR/Company/Night cannot be read as zone rules
    no time zone is called "Company/Day"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "London"; did you mean Europe/London?
    no time zone is called "/etc/passwd"; write an IANA name such as Europe/Paris, America/New_York or UTC
    "#);
    assert_eq!(database.substitutes(), []);
}

#[test]
fn names_of_files_that_are_no_zones_are_refused() {
    let any = tzif::slim(CENTRAL_EUROPE);
    let names = [
        "localtime",
        "posixrules",
        "Factory",
        "posix/Europe/Paris",
        "right/Europe/Paris",
        "LOCALTIME",
        "Etc/Unknown",
    ];
    let rules = names
        .iter()
        .fold(Rules::new(), |rules, name| rules.file(name, &any));
    for source in Source::ALL {
        let database = rules.database(source);
        let errors = names.map(|name| database.zone(name).unwrap_err().to_string());
        insta::allow_duplicates! {
            assert_snapshot!(errors.join("\n"), @r#"
            no time zone is called "localtime"; write the zone's IANA name, such as Europe/Paris
            no time zone is called "posixrules"; write the zone's IANA name, such as Europe/Paris
            no time zone is called "Factory"; write the zone's IANA name, such as Europe/Paris
            no time zone is called "posix/Europe/Paris"; write Europe/Paris
            no time zone is called "right/Europe/Paris"; write Europe/Paris
            no time zone is called "LOCALTIME"; write the zone's IANA name, such as Europe/Paris
            no time zone is called "Etc/Unknown"; write the zone's IANA name, such as Europe/Paris
            "#);
        }
    }
}

#[test]
fn rules_that_were_replaced_count_once_the_database_is_opened_again() {
    let rules = Rules::new().file("Europe/Paris", tzif::slim(CENTRAL_EUROPE));
    let database = rules.database(Source::Machine);
    let before = Fingerprint::of(&database.zone("Europe/Paris").unwrap());
    let rules = rules.file("Europe/Paris", tzif::slim(A_WEEK_EARLIER));
    let after = database.reopened().zone("Europe/Paris").unwrap();
    assert_ne!(Fingerprint::of(&after), before);
    drop(rules);
}

#[test]
fn zones_without_a_name_are_told_apart_by_their_rules() {
    let posix = |rule: &str| TimeZone::posix(rule).unwrap();
    let zones = [
        posix(CENTRAL_EUROPE),
        posix("EST5EDT,M3.2.0,M11.1.0"),
        unnamed(CENTRAL_EUROPE),
        unnamed("EST5EDT,M3.2.0,M11.1.0"),
    ];
    let texts = zones.each_ref().map(|zone| {
        let cron = Cron::parse("0 9 * * *")
            .unwrap()
            .in_tz(zone.clone())
            .unwrap();
        let kron = Kron::parse("0 0 9 * *")
            .unwrap()
            .in_tz(zone.clone())
            .unwrap();
        assert_eq!(
            ZoneRules::of(zone).zone.as_str(),
            ZoneRules::of(&cron.zones()[0]).zone
        );
        [
            cron.describe(),
            cron.canonical(),
            kron.describe(),
            kron.canonical(),
            ZoneRules::of(zone).to_string(),
        ]
        .join("\n")
    });
    assert_snapshot!(texts.join("\n\n"), @r#"
    at 09:00 every day, CET-1CEST,M3.5.0,M10.5.0/3 time
    cron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day CET-1CEST,M3.5.0,M10.5.0/3
    at 09:00 every day, CET-1CEST,M3.5.0,M10.5.0/3 time
    kron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day CET-1CEST,M3.5.0,M10.5.0/3
    CET-1CEST,M3.5.0,M10.5.0/3 ddc2d7f3595cfd1e

    at 09:00 every day, EST5EDT,M3.2.0,M11.1.0 time
    cron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day EST5EDT,M3.2.0,M11.1.0
    at 09:00 every day, EST5EDT,M3.2.0,M11.1.0 time
    kron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day EST5EDT,M3.2.0,M11.1.0
    EST5EDT,M3.2.0,M11.1.0 ba3c08319a6b701a

    at 09:00 every day, time by zone rules ddc2d7f3595cfd1e
    cron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day rules ddc2d7f3595cfd1e
    at 09:00 every day, time by zone rules ddc2d7f3595cfd1e
    kron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day rules ddc2d7f3595cfd1e
    (unnamed) ddc2d7f3595cfd1e

    at 09:00 every day, time by zone rules ba3c08319a6b701a
    cron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day rules ba3c08319a6b701a
    at 09:00 every day, time by zone rules ba3c08319a6b701a
    kron s=0 m=0 h=9 d=* w=* mon=* y=* times-of-day rules ba3c08319a6b701a
    (unnamed) ba3c08319a6b701a
    "#);
}
