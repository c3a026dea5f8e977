//! The one place that makes foreign text safe: no terminal escape and no sign that turns the direction of the text passes.

use serde_json::Value;

/// No text that is printed in one piece is longer, in characters.
const LONGEST: usize = 2000;

/// `text` on one line, without signs that a terminal obeys: each is written as `\u{…}`. What is too long is cut off.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (number, sign) in text.chars().enumerate() {
        if number == LONGEST {
            safe.push('…');
            break;
        }
        match sign {
            '\n' | '\t' | '\r' => safe.push(' '),
            sign if obeyed(sign) => safe.extend(sign.escape_unicode()),
            sign => safe.push(sign),
        }
    }
    safe
}

/// Makes every text in `value` safe. Lines stay, because JSON and YAML write them in their own way.
pub fn safe_value(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().any(|sign| obeyed(sign) && sign != '\n' && sign != '\t') => *text = safe(text),
        Value::Array(items) => items.iter_mut().for_each(safe_value),
        Value::Object(fields) => {
            let old = core::mem::take(fields);
            for (name, mut value) in old {
                safe_value(&mut value);
                fields.insert(safe(&name), value);
            }
        }
        _ => {}
    }
}

/// Control characters, signs that turn the direction of the text, and those that show nothing.
fn obeyed(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_passes() {
        for hostile in ["\u{1b}[31mred", "\u{9b}31m", "\u{1b}]0;title\u{7}", "a\u{202e}b", "a\rb\u{8}\u{8}", "\u{7f}\0"] {
            let safe = safe(hostile);
            assert!(!safe.chars().any(obeyed), "{safe:?}");
            let mut value = serde_json::json!({hostile: [hostile]});
            safe_value(&mut value);
            for format in [crate::output::Format::Json, crate::output::Format::Yaml] {
                let text = crate::output::object_text(format, &value).unwrap();
                assert!(!text.chars().any(|sign| obeyed(sign) && sign != '\n'), "{text:?}");
            }
        }
        assert_eq!(safe("naïve 上海 São"), "naïve 上海 São");
        assert_eq!(safe(&"x".repeat(9000)).chars().count(), LONGEST + 1);
    }
}
