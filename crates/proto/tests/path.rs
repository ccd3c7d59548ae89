//! The normal form of paths (RFC 3986 §6.2.2), and the paths that rules must not decide by.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proto::http1::path::{any_other_reading, is_normal, normalize, with_parameters};

/// The normal form, and whether a target may read the path differently.
fn normal(path: &str) -> Result<(String, bool), &'static str> {
    let mut scratch = Vec::new();
    let normal = normalize(path.as_bytes(), &mut scratch).map_err(|error| error.detail)?;
    Ok((String::from_utf8_lossy(normal.path).into_owned(), !normal.doubts.is_empty()))
}

/// The paths that a target may read instead, each once.
fn other_readings(path: &str) -> Result<Vec<String>, &'static str> {
    let doubts = normalize(path.as_bytes(), &mut Vec::new()).unwrap().doubts;
    let mut found = Vec::new();
    let differs = |path: &[u8]| {
        let path = String::from_utf8_lossy(path).into_owned();
        if !found.contains(&path) {
            found.push(path);
        }
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
        ("/a//../b", "/b"),
        ("/a/%2e%2E/%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/...", "/a/..."),
        ("/a;x=1/b;y;z", "/a/b"),
        ("/a%3bx/b%3B", "/a/b"),
        ("/a/.b/..c/d.", "/a/.b/..c/d."),
    ] {
        assert_eq!(normal(path), Ok((expected.to_owned(), false)), "{path}");
        assert_eq!(is_normal(path.as_bytes()), path == expected, "{path}");
    }
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
        assert_eq!(normal(path), Ok((expected.to_owned(), true)), "{path}");
        assert_eq!(with_parameters(path.as_bytes(), &mut Vec::new()), Ok(kept.as_bytes()), "{path}");
        assert_eq!(other_readings(path), Ok(vec![literal.to_owned()]), "{path}");
    }
    assert_eq!(normal("/..;/b"), Err("path leaves the root"));
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
        ("/pub/a%2fb/../x", "/pub/x", &["/pub/a/x", "/pub/x"]),
        ("/z%2fy/../q%2f../admin", "/q%2F../admin", &["/z/admin", "/admin"]),
        ("/a;x=%2fadmin", "/a", &["/a/admin", "/a"]),
        ("/a/..%3b%2fb", "/", &["/b", "/", "/a/..%3B%2Fb", "/a/..%3B/b"]),
    ] {
        assert_eq!(normal(path), Ok((expected.to_owned(), true)), "{path}");
        assert_eq!(other_readings(path), Ok(others.iter().map(|&path| path.to_owned()).collect()), "{path}");
        assert!(!is_normal(path.as_bytes()), "{path}");
    }
    assert_eq!(other_readings("/pub/..%2f..%2fetc"), Err("path leaves the root"));
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
