//! Fingerprints of zones' rules, by which replicas notice that theirs differ.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::changes::change_after;
use super::names::{name_of, posix_rule};
use crate::schedule::stable_hash::mix;

/// 2020-01-01T00:00:00Z, in seconds since the Unix epoch.
const FROM_SECOND: i64 = 1_577_836_800;
/// 2100-01-01T00:00:00Z, in seconds since the Unix epoch.
const UNTIL_SECOND: i64 = 4_102_444_800;

/// The most zones whose fingerprints are remembered; a thousand tasks go by a few.
const KNOWN_MAX: usize = 1_024;
static KNOWN: Mutex<Vec<(TimeZone, Fingerprint)>> = Mutex::new(Vec::new());

/// A fingerprint of a zone's rules: 64 bits over its offsets from UTC and their changes between
/// 2020 and 2100.
///
/// Equal for rules that say the same in different forms: tables of different lengths (`zic -b fat`
/// and `slim`), a name and its alias, other abbreviations. Its value never changes from one version
/// of Sexton to the next.
///
/// ```
/// use jiff::tz::TimeZone;
/// use sexton_core::schedule::zone::{self, Fingerprint};
///
/// let tokyo = Fingerprint::of(&zone::parse("Asia/Tokyo")?);
/// assert_eq!(tokyo, Fingerprint::of(&zone::parse("Japan")?));
/// assert_eq!(tokyo, Fingerprint::of(&TimeZone::posix("JST-9")?));
/// assert_eq!(tokyo.to_string(), "19aab8ecff26f387");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of a zone's rules. Computed once for each zone of the process.
    #[must_use]
    pub fn of(zone: &TimeZone) -> Fingerprint {
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |(one, _): &&(TimeZone, Fingerprint)| one == zone;
        if let Some((_, fingerprint)) = known().iter().find(is_known) {
            return *fingerprint;
        }
        let fingerprint = Fingerprint::computed(zone);
        let mut known = known();
        if known.len() < KNOWN_MAX {
            known.push((zone.clone(), fingerprint));
        }
        fingerprint
    }

    fn computed(zone: &TimeZone) -> Fingerprint {
        let from = Timestamp::from_second(FROM_SECOND).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut offset = zone.to_offset(from);
        let mut hash = mix(u64::from(offset.seconds().cast_unsigned()));
        let mut from = from;
        while let Some(change) = change_after(zone, from) {
            from = change.timestamp();
            let at = from.as_second();
            if at >= UNTIL_SECOND {
                break;
            }
            // Some change the abbreviation alone.
            if change.offset() == offset {
                continue;
            }
            offset = change.offset();
            hash = mix(hash ^ at.cast_unsigned());
            hash = mix(hash ^ u64::from(offset.seconds().cast_unsigned()));
        }
        Fingerprint(hash)
    }
}

impl fmt::Display for Fingerprint {
    /// 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        bits.map(Fingerprint).ok_or(FingerprintError)
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 16 hexadecimal digits")]
pub struct FingerprintError;

/// What stands before each zone in the definition of a task.
const MARK: &str = "; zone rules ";
/// The name of a zone that has none.
const UNNAMED: &str = "(unnamed)";

/// A zone that a task goes by, and the fingerprint of its rules, as they stand in the task's
/// [definition](crate::lock::TaskDefinition::definition): `Europe/Paris 1f0c…`.
///
/// ```
/// use sexton_core::schedule::zone::{self, ZoneRules};
///
/// let paris = ZoneRules::of(&zone::parse("Europe/Paris")?);
/// let definition = ZoneRules::add_to("at 09:00 every day, Europe/Paris time", &[paris.clone()]);
/// assert!(definition.starts_with("at 09:00 every day, Europe/Paris time; zone rules Europe/Paris "));
/// assert_eq!(
///     ZoneRules::split_off(&definition),
///     ("at 09:00 every day, Europe/Paris time", vec![paris])
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoneRules {
    /// The zone's name; `TZ`'s rule or `(unnamed)` if it has none.
    pub zone: String,
    /// The fingerprint of its rules.
    pub fingerprint: Fingerprint,
}

impl ZoneRules {
    /// The rules of a zone.
    #[must_use]
    pub fn of(zone: &TimeZone) -> ZoneRules {
        let name = name_of(zone).map(str::to_owned);
        ZoneRules {
            zone: name
                .or_else(|| posix_rule(zone))
                .unwrap_or_else(|| UNNAMED.to_owned()),
            fingerprint: Fingerprint::of(zone),
        }
    }

    /// Whether the zone has no name: the same words may stand for other rules elsewhere.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.zone == UNNAMED
    }

    /// A definition with these rules behind it.
    #[must_use]
    pub fn add_to(definition: &str, rules: &[ZoneRules]) -> String {
        let mut text = definition.to_owned();
        for one in rules {
            text = format!("{text}{MARK}{one}");
        }
        text
    }

    /// A definition without the rules that stand behind it, and these.
    #[must_use]
    pub fn split_off(definition: &str) -> (&str, Vec<ZoneRules>) {
        let (mut rest, mut rules) = (definition, Vec::new());
        while let Some((before, last)) = rest.rsplit_once(MARK) {
            let Some((zone, Ok(fingerprint))) = last
                .rsplit_once(' ')
                .map(|(zone, text)| (zone, text.parse()))
            else {
                break;
            };
            let zone = zone.to_owned();
            rules.push(ZoneRules { zone, fingerprint });
            rest = before;
        }
        rules.reverse();
        (rest, rules)
    }
}

impl fmt::Display for ZoneRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.zone, self.fingerprint)
    }
}
