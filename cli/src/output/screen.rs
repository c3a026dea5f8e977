//! What the terminal can show.

/// The width where none is known.
const WIDTH: usize = 80;

/// How many columns the output may have: those of the terminal, else `$COLUMNS`, else 80.
#[must_use]
pub fn width() -> usize {
    let given = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).or_else(given).unwrap_or(WIDTH)
}

/// Whether the locale has UTF-8. POSIX says which variable wins; without one the locale is C, which has ASCII only.
#[must_use]
pub fn has_unicode() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    cfg!(windows) || locale.is_some_and(|locale| is_unicode(&locale))
}

fn is_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_locale_names_its_characters() {
        assert!(["C.UTF-8", "de_DE.utf8"].into_iter().all(super::is_unicode));
        assert!(!["C", "POSIX", "de_DE.ISO-8859-1", ""].into_iter().any(super::is_unicode));
    }
}
