//! Times and lengths in words, no more exact than they are.

use core::fmt::Write as _;

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::drain::Drain;
use super::kept::Kept;
use super::model::{Instant, Lane, Outcome, Resolution, Timeline};

/// A length in seconds: `<1s`, `42s`, `3m20s`, `2h5m`, `4d2h`.
pub(super) fn length(seconds: i64) -> String {
    let two = |large: i64, unit: &str, small: i64, next: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{next}") }
    };
    match seconds {
        ..1 => "<1s".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A place on the axis: `0`, then lengths.
pub(super) fn tick(seconds: i64) -> String {
    if seconds == 0 { "0".to_owned() } else { length(seconds) }
}

/// A length in milliseconds: `56ms`, `3.778s`, then as [`length`].
pub(super) fn milliseconds(length_ms: u64) -> String {
    match length_ms {
        0..1000 => format!("{length_ms}ms"),
        1000..60_000 => format!("{}.{:03}s", length_ms / 1000, length_ms % 1000),
        _ => length(i64::try_from(length_ms / 1000).unwrap_or(i64::MAX)),
    }
}

/// The day and the second.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time of day of an instant, as exact as it is known.
pub(super) fn clock(instant: &Instant) -> String {
    match instant.resolution {
        Resolution::Second => instant.at.strftime("%H:%M:%S").to_string(),
        Resolution::Millisecond => instant.at.strftime("%H:%M:%S.%3f").to_string(),
    }
}

/// How long after the begin of the picture, which is known to the second.
pub(super) fn after(from: Timestamp, instant: &Instant) -> String {
    match instant.at.duration_since(from).as_secs() {
        ..1 => "+0s".to_owned(),
        seconds => format!("+{}", length(seconds)),
    }
}

/// How long the latest instance of a container has run: `3s`, or nothing if that is not known.
pub(super) fn ran(lane: &Lane, looked_at: Option<Timestamp>) -> String {
    let Some(span) = lane.instances.last() else { return String::new() };
    let runs = span.outcome == Outcome::Runs;
    let end = if runs { looked_at } else { span.ended };
    match (span.started, end) {
        // A clock that is behind the cluster's makes it negative: then it has just started.
        (Some(started), Some(end)) if runs || end >= started => length(end.duration_since(started).as_secs()),
        _ => "?".to_owned(),
    }
}

/// From when to when.
pub(super) fn ends(timeline: &Timeline) -> Option<String> {
    let (from, until) = (timeline.from?, timeline.until?);
    let seen = match timeline.looked_at {
        Some(at) if at == until => ", when it was looked at".to_owned(),
        Some(at) => format!("; it was looked at {}", day(at)),
        None => String::new(),
    };
    Some(format!("{} to {} UTC{seen}.", day(from), day(until)))
}

/// Who has kept the pod.
pub(super) fn kept(kept: &Kept) -> String {
    let by = match kept.by.as_slice() {
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
        [] => String::new(),
    };
    format!("kept by {by} for {}", length(kept.seconds))
}

/// What the verdict says, in words; nothing that it does not say.
pub(super) fn drain(drain: &Drain) -> String {
    if let Some(why) = &drain.refused {
        return format!("the agent did nothing: {why}");
    }
    let mut words = vec![match drain.proxy.as_str() {
        "gone" => "the proxy is gone".to_owned(),
        "left" => "the proxy is left running, for kubelet or the node to end".to_owned(),
        "draining" => "not over when the agent was ended".to_owned(),
        "none" => "there was no proxy".to_owned(),
        "stays" => "nothing ended the proxy".to_owned(),
        "untouched" => "the agent did nothing".to_owned(),
        other => other.to_owned(),
    }];
    words.extend(drain.route.as_ref().map(|route| format!("by {route}")));
    words.extend(drain.telemetry_ms.map(|ms| format!("{} of it for telemetry", milliseconds(ms))));
    words.extend(
        drain.linger_ms.filter(|ms| *ms > 0).map(|ms| format!("then {} until the last bytes were sent", milliseconds(ms))),
    );
    words.extend(drain.undelivered.map(|lost| match (lost.bytes, lost.connections, lost.at_least) {
        (0, 0, false) => "everything is delivered".to_owned(),
        (0, 0, true) => "it is not known whether bytes were lost".to_owned(),
        (bytes, connections, at_least) => {
            let least = if at_least { "at least " } else { "" };
            let plural = if connections == 1 { "" } else { "s" };
            format!("{least}{bytes} bytes undelivered on {connections} connection{plural}")
        }
    }));
    words.extend(drain.limit.as_ref().map(|limit| format!("cut off by {limit}")));
    words.extend(drain.helpers.iter().map(|helper| {
        let name = helper.container.as_deref().unwrap_or("a container beside the task");
        let asked = helper.asked.as_ref().map(|asked| format!(" was asked to end by {asked} and")).unwrap_or_default();
        match helper.ended_ms {
            Some(ms) => format!("{name}{asked} ended {} after the task", milliseconds(ms)),
            None => format!("{name}{asked} still ran"),
        }
    }));
    words.join(", ")
}

/// `text` in `width` columns, with a sign at its end if something is left out.
pub(super) fn shortened(text: &str, width: usize, ellipsis: char) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut short, mut used) = (String::new(), 0);
    for sign in text.chars() {
        used += sign.width().unwrap_or(0);
        if used >= width {
            break;
        }
        short.push(sign);
    }
    short.push(ellipsis);
    short
}

/// `text` in lines of at most `width` columns. A word that is longer has a line of its own.
pub(super) fn lines(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(core::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `what` behind `head`, in lines that fit; the next ones begin below the first one's text.
pub(super) fn wrapped(text: &mut String, head: &str, what: &str, width: usize) {
    for (number, line) in lines(what, width.saturating_sub(head.width())).into_iter().enumerate() {
        let head = if number == 0 { head.to_owned() } else { " ".repeat(head.width()) };
        let _ = writeln!(text, "{}", format!("{head}{line}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_two_units_at_most() {
        for (seconds, text) in [
            (-9, "<1s"),
            (0, "<1s"),
            (59, "59s"),
            (60, "1m"),
            (200, "3m20s"),
            (7500, "2h5m"),
            (352_800, "4d2h"),
            (i64::MAX, "106751991167300d15h"),
        ] {
            assert_eq!(length(seconds), text);
        }
        assert_eq!(shortened("abcdef", 4, '~'), "abc~");
        assert_eq!(lines("a bb  ccc dddddddd", 5), ["a bb", "ccc", "dddddddd"]);
        assert_eq!([0, 999, 3778, 60_999].map(milliseconds), ["0ms", "999ms", "3.778s", "1m"]);
    }
}
