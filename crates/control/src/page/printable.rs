//! Text of other processes, made harmless to a terminal.

/// Text for a terminal: what would move its cursor, or turn the order of its letters, is written as JSON escapes it. Lines stay.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push(letter),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                push_escaped(&mut out, letter);
            }
            _ if letter.is_control() => push_escaped(&mut out, letter),
            _ => out.push(letter),
        }
    }
    out
}

fn push_escaped(out: &mut String, letter: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(letter)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_moves_its_cursor() {
        for (text, expected) in [
            ("länger\n  x", "länger\n  x"),
            ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
            ("a\rb\tc\x7f", "a\\u000db\\u0009c\\u007f"),
            ("\u{9b}2J \u{202e}txt", "\\u009b2J \\u202etxt"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
