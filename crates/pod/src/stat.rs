//! One process, as `/proc/PID/stat` and `/proc/PID/status` describe it (`proc_pid_stat(5)`, `proc_pid_status(5)`).

/// A process's line in `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its pid, in the pid namespace of this `/proc`.
    pub pid: i32,
    /// Its name, at most 15 bytes. The process chooses it.
    pub comm: String,
    /// Its state. `Z` is a zombie: ended and not yet reaped.
    pub state: u8,
    /// The pid of its parent; 0 if the parent is outside the pid namespace.
    pub parent: i32,
    /// When it started, in clock ticks since boot. Pid and start time together identify a process.
    pub start: u64,
}

/// Reads `/proc/PID/stat`. The name may contain spaces, parentheses and newlines, so it ends at the *last* parenthesis.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let mut rest = fields(text.get(close + 1..)?);
    let state = *rest.next()?.first()?;
    let parent = number(rest.next()?)?;
    // `starttime` is the 22nd field in proc_pid_stat(5); state and ppid are the 3rd and the 4th.
    let start = number(rest.nth(17)?)?;
    Some(Stat {
        pid: number(text.get(..open)?.trim_ascii())?,
        comm: String::from_utf8_lossy(text.get(open + 1..close)?).into_owned(),
        state,
        parent,
        start,
    })
}

/// The status of a zombie in its `/proc/PID/stat`, as `wait(2)` gives it. `None` if the process has not ended.
#[must_use]
pub fn exit_status(text: &[u8]) -> Option<i32> {
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let mut rest = fields(text.get(close + 1..)?);
    let is_zombie = rest.next()? == b"Z";
    // `exit_code` is the 52nd field in proc_pid_stat(5); the state is the 3rd.
    let status = number(rest.nth(48)?)?;
    is_zombie.then_some(status)
}

/// The real uid in `/proc/PID/status`. It owns the sockets of the process, unless the process has changed its effective uid.
#[must_use]
pub fn uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    number(fields(line).next()?)
}

/// The arguments in `/proc/PID/cmdline`. Empty for a zombie, and for a process of the container runtime that has not yet started the
/// container's program.
#[must_use]
pub fn arguments(cmdline: &[u8]) -> Vec<String> {
    let text = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// The last field of `/proc/loadavg`: the id that was given last to a process or a thread.
#[must_use]
pub fn last_id(loadavg: &[u8]) -> Option<i32> {
    number(fields(loadavg).nth(4)?)
}

/// The words of a line.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

/// A decimal number.
pub(crate) fn number<T: core::str::FromStr>(field: &[u8]) -> Option<T> {
    core::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &[u8] =
        b"31 (python3) S 0 31 31 0 -1 4194560 2617 0 1 0 20 6 0 0 20 0 1 0 48192 19296256 2731 18446744073709551615 1 1 \
        0 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn a_container_root_is_read() {
        let stat = Stat { pid: 31, comm: "python3".to_owned(), state: b'S', parent: 0, start: 48_192 };
        assert_eq!(parse(BASE), Some(stat));
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        for name in ["(sd-pam)", "a) Z 1 2 (b", "x y", "runc:[2:INIT]", ")", "", "a\nb"] {
            let text = String::from_utf8_lossy(BASE).replace("python3", name);
            let stat = parse(text.as_bytes());
            assert_eq!(stat.map(|stat| (stat.comm, stat.parent, stat.start)), Some((name.to_owned(), 0, 48_192)));
        }
    }

    #[test]
    fn a_line_cut_short_is_none() {
        let whole = BASE.windows(5).position(|window| window == b"48192").unwrap();
        for length in 0..=whole {
            assert_eq!(parse(&BASE[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn the_last_id_is_the_fifth_field() {
        assert_eq!(last_id(b"0.20 0.18 0.12 1/80 11206\n"), Some(11_206));
        assert_eq!(last_id(b"0.20 0.18 0.12 1/80\n"), None);
    }

    #[test]
    fn the_status_of_a_zombie_is_the_last_field() {
        let text = String::from_utf8_lossy(BASE).replace(" 0\n", " 768\n");
        assert_eq!(exit_status(text.as_bytes()), None, "it runs");
        let zombie = text.replace("(python3) S", "(a) Z (b) Z");
        assert_eq!(exit_status(zombie.as_bytes()), Some(768));
        assert_eq!(exit_status(zombie.trim_end().strip_suffix("768").unwrap().as_bytes()), None);
    }

    #[test]
    fn the_real_uid_is_the_first() {
        let status = b"Name:\tenvoy\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1337\t0\t0\t0\nGid:\t1337\t1337\t1337\t1337\n";
        assert_eq!(uid(status), Some(1337));
        assert_eq!(uid(b"Name:\tUid:\n"), None);
    }

    #[test]
    fn arguments_are_split_at_their_ends() {
        assert_eq!(arguments(b"/bin/task\0--flag\0\0"), ["/bin/task", "--flag", ""]);
        assert!(arguments(b"").is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (parse(&bytes), exit_status(&bytes), uid(&bytes), arguments(&bytes), last_id(&bytes));
        }
    }
}
