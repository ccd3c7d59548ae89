//! The list of public suffixes: domains under which names can be registered by all, so that no browser takes a cookie
//! for them (RFC 6265 §5.3 step 5).
//!
//! The list changes every week and is the system's, not ours: it is read from the file that packages such as
//! `publicsuffix` install. Its format is described at <https://publicsuffix.org/list/>.

use std::collections::HashSet;

/// The rules of the list, names in lower case and in their `xn--` form.
#[derive(Debug, Default)]
pub(crate) struct PublicSuffixes {
    /// `com`, `co.uk`
    normal: HashSet<String>,
    /// `*.ck`, without `*.`
    wildcards: HashSet<String>,
    /// `!www.ck`, without `!`
    exceptions: HashSet<String>,
}

impl PublicSuffixes {
    /// Lines that are no rules are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let rule = line.split_whitespace().next().unwrap_or("");
            if rule.is_empty() || rule.starts_with("//") {
                continue;
            }
            let (set, name) = if let Some(name) = rule.strip_prefix("*.") {
                (&mut found.wildcards, name)
            } else if let Some(name) = rule.strip_prefix('!') {
                (&mut found.exceptions, name)
            } else {
                (&mut found.normal, rule)
            };
            set.extend(ascii(name));
        }
        found
    }

    /// Whether the domain, in lower case, is a public suffix itself. A single label is always one.
    pub(crate) fn contains(&self, domain: &str) -> bool {
        if self.exceptions.contains(domain) {
            return false;
        }
        match domain.split_once('.') {
            Some((_, parent)) => self.normal.contains(domain) || self.wildcards.contains(parent),
            None => true,
        }
    }
}

/// The name with its labels in the form in which they stand in DNS (RFC 5891 §4.4).
fn ascii(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let labels = lower.split('.').map(|label| {
        if label.is_ascii() { Some(label.to_owned()) } else { Some(format!("xn--{}", punycode(label)?)) }
    });
    Some(labels.collect::<Option<Vec<_>>>()?.join("."))
}

/// Encodes a label (RFC 3492 §6.3). `None`: it is longer than a label can be.
fn punycode(label: &str) -> Option<String> {
    // limit: of a label; it also keeps the numbers below from overflowing.
    let count = u32::try_from(label.chars().count()).ok().filter(|&count| count <= 63)?;
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut next, mut delta, mut bias, mut done) = (128, 0, 72, basic);
    while done < count {
        let smallest = label.chars().map(u32::from).filter(|&c| c >= next).min()?;
        delta += (smallest - next) * (done + 1);
        next = smallest;
        for c in label.chars().map(u32::from) {
            if c < next {
                delta += 1;
            } else if c == next {
                digits(delta, bias, &mut out);
                bias = adapt(delta, done + 1, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta += 1;
        next += 1;
    }
    Some(out)
}

/// Writes a number with digits of growing weight.
fn digits(mut rest: u32, bias: u32, out: &mut String) {
    let digit = |digit: u32| DIGITS.get(digit as usize).copied().map(char::from);
    let mut k = BASE;
    loop {
        let threshold = k.saturating_sub(bias).clamp(1, 26);
        if rest < threshold {
            break;
        }
        let base = BASE - threshold;
        out.extend(digit(threshold + (rest - threshold) % base));
        rest = (rest - threshold) / base;
        k += BASE;
    }
    out.extend(digit(rest));
}

/// RFC 3492 §6.1.
fn adapt(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= BASE - 1;
        k += BASE;
    }
    k + BASE * delta / (delta + 38)
}

const BASE: u32 = 36;
const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "// ===BEGIN ICANN DOMAINS===\n\ncom\nuk\nco.uk\n\n// ck\n*.ck\n!www.ck\ncn\n公司.cn comment\n\
                        中国\n// ===BEGIN PRIVATE DOMAINS===\nGitHub.io\n*.compute.example.com\n";

    /// SP6.
    #[test]
    fn suffixes_are_told_from_domains_under_them() {
        let list = PublicSuffixes::parse(LIST);
        for (domain, expected) in [
            ("com", true),
            ("example.com", false),
            ("www.example.com", false),
            ("co.uk", true),
            ("example.co.uk", false),
            ("ck", true),
            ("anything.ck", true),
            ("shop.anything.ck", false),
            ("www.ck", false),
            ("github.io", true),
            ("me.github.io", false),
            ("compute.example.com", false),
            ("a.compute.example.com", true),
            ("a.a.compute.example.com", false),
            ("xn--55qx5d.cn", true),
            ("shop.xn--55qx5d.cn", false),
            ("xn--fiqs8s", true),
            ("localhost", true),
            ("comment", true),
            ("a.b.unlisted", false),
        ] {
            assert_eq!(list.contains(domain), expected, "{domain}");
        }
        assert!(!PublicSuffixes::parse("").contains("co.uk"));
    }

    #[test]
    fn names_are_encoded_as_in_rfc_3492() {
        for (name, expected) in [
            ("b\u{fc}cher", "xn--bcher-kva"),
            ("M\u{dc}NCHEN.de", "xn--mnchen-3ya.de"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("ひとつ屋根の下2", "xn--2-u9tlzr9756bt3uc0v"),
            ("パフィーdeルンバ", "xn--de-jg4avhby1noc0d"),
        ] {
            assert_eq!(ascii(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(ascii(&"\u{10ffff}".repeat(64)), None);
        assert!(ascii(&"\u{10ffff}".repeat(63)).is_some());
    }
}
