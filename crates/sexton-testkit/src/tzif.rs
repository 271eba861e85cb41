//! Files of time zone rules (RFC 9636), as `zic` writes them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A file with the rules of a POSIX `TZ`, as `zic -b slim` writes it: the rule alone.
pub fn slim(rule: &str) -> Vec<u8> {
    file(rule, &[])
}

/// A file with the same rules, as `zic -b fat` writes it: with each change from 1990 to 2037 too.
pub fn fat(rule: &str) -> Vec<u8> {
    let zone = TimeZone::posix(rule).unwrap();
    let from = "1990-01-01T00:00:00Z".parse().unwrap();
    let until: Timestamp = "2037-12-31T00:00:00Z".parse().unwrap();
    let changes = zone.following(from).map(|change| change.timestamp());
    let changes: Vec<Timestamp> = changes.take_while(|at| *at < until).collect();
    file(rule, &changes)
}

/// A file with the changes of the same rules from 1990 to 2037 and nothing about later ones, as old
/// files are and those below `right/`.
pub fn without_rule(rule: &str) -> Vec<u8> {
    let mut bytes = fat(rule);
    bytes.truncate(bytes.len() - rule.len() - "\n".len());
    bytes.push(b'\n');
    bytes
}

/// RFC 9636: a block for old readers, the block that counts, and the rule behind it.
fn file(rule: &str, changes: &[Timestamp]) -> Vec<u8> {
    let zone = TimeZone::posix(rule).unwrap();
    let kind = |at: Timestamp| {
        let info = zone.to_offset_info(at);
        let is_dst = u8::from(info.dst().is_dst());
        let name = info.abbreviation().to_owned();
        (info.offset().seconds(), is_dst, name)
    };
    let mut kinds = vec![kind(Timestamp::UNIX_EPOCH)];
    let mut indices = Vec::new();
    for at in changes {
        let kind = kind(*at);
        let known = kinds.iter().position(|known| *known == kind);
        indices.push(known.unwrap_or(kinds.len()));
        if known.is_none() {
            kinds.push(kind);
        }
    }
    let mut bytes = block(&[], &[], &kinds[..1]);
    bytes.extend(block(changes, &indices, &kinds));
    bytes.extend(format!("\n{rule}\n").bytes());
    bytes
}

fn block(changes: &[Timestamp], indices: &[usize], kinds: &[(i32, u8, String)]) -> Vec<u8> {
    let small = |number: usize| u8::try_from(number).unwrap();
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for (offset, is_dst, name) in kinds {
        rows.extend(offset.to_be_bytes());
        rows.extend([*is_dst, small(names.len())]);
        names.extend(name.bytes().chain([0]));
    }
    let mut bytes = b"TZif2".to_vec();
    bytes.extend([0; 15]);
    for count in [0, 0, 0, changes.len(), kinds.len(), names.len()] {
        bytes.extend(u32::try_from(count).unwrap().to_be_bytes());
    }
    for at in changes {
        bytes.extend(at.as_second().to_be_bytes());
    }
    bytes.extend(indices.iter().map(|index| small(*index)));
    bytes.extend(rows);
    bytes.extend(names);
    bytes
}
