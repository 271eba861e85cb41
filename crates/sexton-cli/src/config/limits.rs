//! `limits`: what a command may use of the machine.

use std::time::Duration;

use toml::de::DeValue;

use super::fields::Field;
use crate::tasks::Limits;

const FORM: &str = "a table: { memory = \"512M\", files = 256, cpu = \"10m\", processes = 100, \
    core = 0, file_size = \"1G\" }";
const SIZE_FORM: &str =
    "a number of bytes, or a string such as \"512M\" (K, M, G and T are powers of 1024)";
/// A command needs its standard streams, and its program and libraries to be opened one after the
/// other.
const FILES_MIN: i64 = 16;
const COUNT_MAX: i64 = 1 << 30;
const CPU_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads the limits; what they do not name stays as it is.
pub(super) fn read(field: &Field<'_>, limits: &mut Limits) {
    let Some(mut fields) = field.table(FORM) else {
        return;
    };
    if let Some(field) = fields.get("memory") {
        limits.memory = size(&field);
    }
    if let Some(field) = fields.get("files") {
        limits.files = count(&field, FILES_MIN);
    }
    if let Some(field) = fields.get("cpu") {
        limits.cpu = seconds(&field);
    }
    if let Some(field) = fields.get("processes") {
        limits.processes = count(&field, 1);
    }
    if let Some(field) = fields.get("core") {
        limits.core = size(&field);
    }
    if let Some(field) = fields.get("file_size") {
        limits.file_size = size(&field);
    }
    fields.finish();
}

fn count(field: &Field<'_>, min: i64) -> Option<u64> {
    let count = field.integer(min..=COUNT_MAX)?;
    u64::try_from(count).ok()
}

/// The operating system counts whole seconds; a part of one counts as one.
fn seconds(field: &Field<'_>) -> Option<u64> {
    let duration = field.duration(Duration::from_secs(1)..=CPU_MAX)?;
    Some(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

fn size(field: &Field<'_>) -> Option<u64> {
    if let DeValue::Integer(_) = field.value {
        let bytes = field.integer(0..=i64::MAX)?;
        return u64::try_from(bytes).ok();
    }
    let text = field.text(SIZE_FORM)?;
    let bytes = parse_size(text.expose());
    if bytes.is_none() {
        field.reject_text(&text, "this is no number of bytes", SIZE_FORM);
    }
    bytes
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
        Some(digits) => (digits, "KMGT".find(&text[digits.len()..])? * 10 + 10),
        None => (text, 0),
    };
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_plain)?;
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("2K", 2 << 10),
            ("512M", 512 << 20),
            ("1G", 1 << 30),
            ("3T", 3 << 40),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "-1",
            "+1",
            "1.5G",
            "1 G",
            "1k",
            "1MB",
            "99999999999T",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
