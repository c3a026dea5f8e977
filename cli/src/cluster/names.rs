//! Names that are near to one that does not exist.

/// Up to three of `names` that are near to `wrong`, nearest first.
pub(super) fn nearest(wrong: &str, names: Vec<String>) -> Vec<String> {
    let mut near = names
        .into_iter()
        .map(|name| (if name.starts_with(wrong) { 0 } else { distance(wrong, &name) }, name))
        .filter(|(distance, _)| *distance <= wrong.len() / 3)
        .collect::<Vec<_>>();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// How many letters must be changed, added or removed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row = (0..=b.chars().count()).collect::<Vec<_>>();
    for (line, left) in a.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        let mut next = vec![before];
        for (above, right) in row.iter().skip(1).zip(b.chars()) {
            before = (before + 1).min(above + 1).min(diagonal + usize::from(left != right));
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let distances = [("", "abc"), ("kitten", "sitting"), ("abc", "abc"), ("ab", "ba")].map(|(a, b)| distance(a, b));
        assert_eq!(distances, [3, 3, 0, 2]);
        let names = || ["upload-x7f2k", "upload-9", "other"].map(str::to_owned).to_vec();
        assert_eq!(nearest("uplaod-x7f2k", names()), ["upload-x7f2k"]);
        assert_eq!(nearest("upload", names()), ["upload-9", "upload-x7f2k"]);
        assert!(nearest("zzz", names()).is_empty());
    }
}
