//! The normal form of paths (RFC 3986 §6.2.2), and the paths that rules must not decide by.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proto::http1::path::{any_other_reading, is_normal, normalize, with_parameters};

/// The normal form, and whether a target may read the path differently.
fn normal(path: &str) -> Result<(String, bool), &'static str> {
    let mut scratch = Vec::new();
    let normal = normalize(path.as_bytes(), &mut scratch).map_err(|error| error.detail)?;
    Ok((String::from_utf8_lossy(normal.path).into_owned(), !normal.doubts.is_empty()))
}

/// The paths that a target may read instead, in the order in which they are asked about.
fn other_readings(path: &str) -> Result<Vec<String>, &'static str> {
    let doubts = normalize(path.as_bytes(), &mut Vec::new()).unwrap().doubts;
    let mut found = Vec::new();
    let differs = |path: &[u8]| {
        found.push(String::from_utf8_lossy(path).into_owned());
        false
    };
    any_other_reading(path.as_bytes(), doubts, differs).map_err(|error| error.detail)?;
    Ok(found)
}

#[test]
fn a_normal_path_is_returned_unchanged() {
    for path in
        ["/", "/a", "/a/b.html", "/a/b/", "/a.b/.c", "/~u/(x)", "/{\"|^`}", "*", "/.well-known/x", "/..."]
    {
        assert_eq!(normal(path), Ok((path.to_owned(), false)));
        assert!(is_normal(path.as_bytes()), "{path}");
    }
    let path = b"/products/42/reviews/latest.html";
    let mut scratch = Vec::new();
    let borrowed = normalize(path, &mut scratch).map(|normal| normal.path.as_ptr());
    assert_eq!(borrowed, Ok(path.as_ptr()));
    assert_eq!(scratch.capacity(), 0);
}

#[test]
fn equivalent_paths_have_one_normal_form() {
    for (path, expected) in [
        ("", "/"),
        ("/%61%2D%2e%5F%7e%39", "/a-._~9"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%20%3f%23%25", "/%20%3F%23%25"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("//", "/"),
        ("//a///b//", "/a/b/"),
        ("/./a/./b/.", "/a/b/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/..", "/"),
        ("//a", "/a"),
        ("/a/../b//c", "/b/c"),
        ("/a/%2e%2E/%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/...", "/a/..."),
        ("/a;x=1/b;y;z", "/a/b"),
        ("/a/.b/..c/d.", "/a/.b/..c/d."),
    ] {
        assert_eq!(normal(path), Ok((expected.to_owned(), false)), "{path}");
        assert_eq!(is_normal(path.as_bytes()), path == expected, "{path}");
    }
}

/// Checks the normal form of a path that has other readings, and these.
fn check_readings(path: &str, expected: &str, others: &[&str]) {
    assert_eq!(normal(path), Ok((expected.to_owned(), true)), "{path}");
    assert_eq!(other_readings(path), Ok(others.iter().map(|&path| path.to_owned()).collect()), "{path}");
    assert!(!is_normal(path.as_bytes()), "{path}");
}

#[test]
fn parameters_do_not_hide_a_dot_segment() {
    for (path, expected, kept, literal) in [
        ("/a/..;/b", "/b", "/b", "/a/..;/b"),
        ("/a/..;x=1/b;y", "/b", "/b;y", "/a/..;x=1/b;y"),
        ("/a/%2e%2e;/b", "/b", "/b", "/a/..;/b"),
        ("/a/..%3b/b", "/b", "/b", "/a/..%3B/b"),
        ("/.;/a;x/", "/a/", "/a;x/", "/.;/a;x/"),
        ("/;x/a", "/a", "/a", "/;x/a"),
        ("/a/.;", "/a/", "/a/", "/a/.;"),
    ] {
        check_readings(path, expected, &[literal]);
        assert_eq!(with_parameters(path.as_bytes(), &mut Vec::new()), Ok(kept.as_bytes()), "{path}");
    }
    assert_eq!(normal("/..;/b"), Err("path leaves the root"));
}

#[test]
fn an_encoded_semicolon_may_be_a_part_of_the_name() {
    // Tomcat removes `;x`, then decodes `%3B`, then removes dot segments.
    for (path, expected, others) in [
        ("/m/.%3B/..;/h", "/h", &["/m/h", "/m/.%3B/..;/h"][..]),
        ("/m/%3B/..;/h", "/h", &["/m/h", "/m/%3B/..;/h"]),
        ("/m/.;/..%3B/h", "/h", &["/m/..%3B/h", "/m/.;/..%3B/h"]),
        ("/m;v/.%3B/../h", "/h", &["/m/h", "/m;v/h"]),
        ("/m;x%2F../n", "/m/n", &["/n"]),
        ("/a%3bx/b%3B", "/a/b", &["/a%3Bx/b%3B"]),
        ("/m/a%3B/..;/h", "/m/h", &["/m/a%3B/..;/h"]),
    ] {
        check_readings(path, expected, others);
    }
}

#[test]
fn a_climb_behind_an_empty_segment_may_remove_it() {
    for (path, expected, others) in [
        ("/a//../x", "/x", &["/a/x"][..]),
        ("/a/b///..//../x", "/x", &["/a/b/x"]),
        ("/a//b/.././x", "/a/x", &[]),
        ("/a//b/../../x", "/x", &["/a/x"]),
        ("/a//%2e%2E", "/", &["/a/"]),
        ("//b/../x", "/x", &[]),
        ("/a/;y/../x", "/x", &["/a/x"]),
        ("/a/\\../x", "/a/\\../x", &["/x", "/a/x"]),
        ("/a/b/%2f../x", "/a/b/%2F../x", &["/a/x", "/a/b/x"]),
        ("/a/b%2f/../x", "/a/x", &["/a/b/x"]),
    ] {
        check_readings(path, expected, others);
    }
}

#[test]
fn a_hidden_separator_has_other_readings() {
    for (path, expected, others) in [
        ("/api%2fadmin", "/api%2Fadmin", &["/api/admin"][..]),
        ("/api/a%5cb/c", "/api/a%5Cb/c", &["/api/a/b/c"]),
        ("/api/a\\b", "/api/a\\b", &["/api/a/b"]),
        ("/a.php%00.jpg/x", "/a.php%00.jpg/x", &["/a.php", "/a.php.jpg/x"]),
        ("/a%2Fb%5Cc", "/a%2Fb%5Cc", &["/a/b%5Cc", "/a%2Fb/c", "/a/b/c"]),
        ("/pub/x%2f..%2f..%2fadmin", "/pub/x%2F..%2F..%2Fadmin", &["/admin"]),
        ("/pub/%2e%2e%5cadmin", "/pub/..%5Cadmin", &["/admin"]),
        ("/pub/x%2f..", "/pub/x%2F..", &["/pub/"]),
        // A target that decodes first climbs out of another segment than one that removes dot segments first.
        ("/pub/a%2fb/../x", "/pub/x", &["/pub/a/x"]),
        ("/z%2fy/../q%2f../admin", "/q%2F../admin", &["/z/admin", "/admin"]),
        ("/a;x=%2fadmin", "/a", &["/a/admin"]),
        // One that removes parameters first and decodes then sees the `..` that others take for a part of one.
        ("/a/z%2f..;p%2fk/../m", "/a/m", &["/m", "/a/z/..;p/m"]),
        // A `..` with parameters appears in another segment.
        ("/m%2F..;x%2Fb", "/m%2F..", &["/b", "/", "/m%2F..;x%2Fb", "/m/..;x/b"]),
        // A URL knows `\` only, other servers `%5C` too.
        ("/m/y%5C..\\..\\h", "/m/y%5C..\\..\\h", &["/m/h", "/h"]),
        ("/a/..%3b%2fb", "/", &["/b", "/a/..%3B%2Fb", "/a/..%3B/b"]),
    ] {
        check_readings(path, expected, others);
    }
    assert_eq!(other_readings("/pub/..%2f..%2fetc"), Err("path leaves the root"));
}

#[test]
fn a_path_with_too_many_readings_is_refused() {
    const TOO_MANY: Result<Vec<String>, &str> = Err("path can be read in too many ways");
    let long = "x/".repeat(1024);
    for path in [
        "/a%2Fb\\c/..;x/d//../e",
        "/a%00b%2Fc",
        "/a%00b\\c",
        &format!("/a%00b/{long}"),
        &format!("/a%2Fb\\c/{long}"),
        &format!("/a/..;/b//../{long}"),
    ] {
        assert_eq!(other_readings(path), TOO_MANY, "{path}");
    }
    for (path, count) in [
        // What encoders of URLs leave in one segment.
        ("/search/a%2Fb%5Cc%3Bd%25%20", 8),
        ("/proxy/https%3A%2F%2Fhost%2Fa%3Bb%2Fc", 4),
        (&format!("/a%2Fb/{long}"), 1),
        (&format!("/a;x%2F../{long}"), 2),
    ] {
        assert!(other_readings(path).unwrap().len() <= count, "{path}: {:?}", other_readings(path));
    }
}

#[test]
fn a_path_without_a_normal_form_is_refused() {
    const NOT_HEX: &str = "percent sign without two hexadecimal digits";
    for (path, detail) in [
        ("/..", "path leaves the root"),
        ("/a/../..", "path leaves the root"),
        ("/%2e%2e/etc", "path leaves the root"),
        ("//..", "path leaves the root"),
        ("/%", NOT_HEX),
        ("/%2", NOT_HEX),
        ("/a%/bcd", NOT_HEX),
        ("/%zz", NOT_HEX),
        ("/%+1", NOT_HEX),
        ("/12345678901234%", NOT_HEX),
        ("a/b", "path does not begin with a slash"),
        ("?", "path does not begin with a slash"),
    ] {
        assert_eq!(normal(path), Err(detail), "{path}");
        assert!(!is_normal(path.as_bytes()));
    }
}
