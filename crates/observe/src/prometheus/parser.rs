//! A strict parser of the text format, for tests. It rejects everything that any real parser may reject.

use std::collections::{BTreeMap, HashSet};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Parses all samples of a page.
///
/// # Panics
///
/// If the page violates the format or one of our naming rules.
pub(crate) fn parse(page: &str) -> Vec<Sample> {
    assert!(page.is_empty() || page.ends_with('\n'), "the last line must end");
    let (mut samples, mut series, mut families) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut family = (String::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a help text");
            assert!(text.ends_with('.'), "help is a sentence: {text}");
            let of_type =
                lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("TYPE after HELP");
            let (of_name, kind) = of_type.split_once(' ').expect("a kind");
            assert_eq!(of_name, name);
            assert!(families.insert(name.to_owned()), "{name} begins twice");
            check_name(name, kind);
            family = (name.to_owned(), kind.to_owned());
        } else {
            let sample = parse_sample(line);
            let suffix = sample.name.strip_prefix(&family.0).expect("a sample of the present family");
            let allowed: &[&str] =
                if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(allowed.contains(&suffix), "{line}");
            assert!(series.insert(format!("{}{:?}", sample.name, sample.labels)), "twice: {line}");
            samples.push(sample);
        }
    }
    check_histograms(&samples);
    samples
}

fn check_name(name: &str, kind: &str) {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    assert!(name.starts_with("evenkeel_") && name.bytes().all(is_plain), "{name}");
    match kind {
        "counter" => assert!(name.ends_with("_total"), "{name}"),
        "histogram" => assert!(name.ends_with("_seconds"), "{name}"),
        "gauge" => assert!(!name.ends_with("_total"), "{name}"),
        _ => panic!("no such kind: {kind}"),
    }
}

fn parse_sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, value) = inside.split_once("=\"").expect("a label");
            assert!(
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{line}"
            );
            let (value, after) = parse_label_value(value);
            assert!(labels.insert(label.to_owned(), value).is_none(), "label twice: {line}");
            match after.strip_prefix(',') {
                Some(more) => inside = more,
                None => break rest = after.strip_prefix('}').expect("the end of the labels"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space");
    assert!(value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-'), "{line}");
    Sample { name: name.to_owned(), labels, value: value.parse().expect("a number") }
}

/// Returns the value and the text after its closing quote.
fn parse_label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match letters.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                other => panic!("no such escape: {other:?}"),
            }),
            _ => value.push(letter),
        }
    }
    panic!("no closing quote: {text}")
}

/// Checks that bounds and counts ascend and that the last bucket is `+Inf` and equals the count.
fn check_histograms(samples: &[Sample]) {
    let buckets = samples.iter().filter(|s| s.name.ends_with("_bucket")).collect::<Vec<_>>();
    for group in buckets.chunk_by(|one, two| one.name == two.name && without_bound(one) == without_bound(two))
    {
        let bounds: Vec<f64> =
            group.iter().map(|s| s.labels["le"].replace("+Inf", "inf").parse().unwrap()).collect();
        assert!(bounds.is_sorted_by(|one, two| one < two), "{bounds:?}");
        assert!(group.is_sorted_by(|one, two| one.value <= two.value));
        let last = group.last().expect("a bucket");
        assert_eq!(last.labels["le"], "+Inf");
        let count = last.name.replace("_bucket", "_count");
        let count =
            samples.iter().find(|s| s.name == count && s.labels == without_bound(last)).expect("a count");
        assert_eq!(count.value, last.value);
    }
}

fn without_bound(sample: &Sample) -> BTreeMap<String, String> {
    let mut labels = sample.labels.clone();
    labels.remove("le");
    labels
}
