//! Durations as Istio writes them: `25s`, `1m30s`, `500ms`.
//!
//! The grammar is that of Go's `time.ParseDuration`, which reads the durations in Istio's resources, without signs and without units
//! below a millisecond.

use core::fmt;
use core::time::Duration;

/// The text is not a duration, or the duration is longer than about 584 million years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADuration;

/// The milliseconds of each unit. `ms` comes before `m`, because `m` is a prefix of it.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a duration.
///
/// # Errors
/// If the text is not a duration.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(NotADuration);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(tail) => digits(tail),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(NotADuration);
        }
        let (unit, after) = unit(after)?;
        let part = part(whole, fraction, unit).ok_or(NotADuration)?;
        total = total.checked_add(part).ok_or(NotADuration)?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// The whole milliseconds of a duration. (`Duration::as_millis` would add 128-bit division to the module.)
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(u64::from(duration.subsec_millis()))
}

/// Writes a duration in the largest unit that is exact: `25s`, `1500ms`, `5m`.
#[must_use]
pub fn display(duration: Duration) -> String {
    let ms = milliseconds(duration);
    let (unit, size) = UNITS.iter().rev().find(|(_, size)| ms > 0 && ms.is_multiple_of(*size)).unwrap_or(&("s", 1_000));
    format!("{}{unit}", ms / size)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn unit(text: &str) -> Result<(u64, &str), NotADuration> {
    let found = UNITS.iter().find_map(|(name, ms)| text.strip_prefix(name).map(|rest| (*ms, rest)));
    found.ok_or(NotADuration)
}

fn part(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let mut total = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        total = total.checked_add(u64::from(digit - b'0') * place)?;
    }
    Some(total)
}

// === impl NotADuration ===

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a duration with a unit, such as 25s, 1m30s or 500ms")
    }
}

impl core::error::Error for NotADuration {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn reads_what_istio_writes() {
        let table =
            [("25s", 25_000), ("500ms", 500), ("1m30s", 90_000), ("2h", 7_200_000), ("1.5s", 1_500), ("0s", 0), (".5s", 500)];
        for (text, ms) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", " ", "25", "25sec", "s", "-1s", "+1s", "1d", "1s.", "1.s.", "99999999999999999999s"] {
            assert_eq!(parse(text), Err(NotADuration), "{text}");
        }
    }

    #[test]
    fn display_is_read_back() {
        for ms in [0, 1, 999, 1_000, 90_000, 300_000, 3_600_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse(&display(duration)), Ok(duration), "{ms} ms");
        }
    }
}
