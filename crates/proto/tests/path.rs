//! The normal form of paths (RFC 3986 §6.2.2), and the paths that rules must not decide by.

use proto::http1::path::{is_normal, normalize};

fn normal(path: &str) -> Result<(String, Option<usize>), &'static str> {
    let mut scratch = Vec::new();
    let normal = normalize(path.as_bytes(), &mut scratch).map_err(|error| error.detail)?;
    Ok((String::from_utf8_lossy(normal.path).into_owned(), normal.hidden_at))
}

#[test]
fn a_normal_path_is_returned_unchanged() {
    for path in [
        "/",
        "/a",
        "/a/b.html",
        "/a/b/",
        "/a.b/.c",
        "/a;x=1/b",
        "/~u/(x)",
        "/{\"|^`}",
        "*",
        "/.well-known/x",
        "/...",
    ] {
        assert_eq!(normal(path), Ok((path.to_owned(), None)));
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
        ("/a/..;/b", "/a/..;/b"),
        ("/a/.b/..c/d.", "/a/.b/..c/d."),
    ] {
        assert_eq!(normal(path), Ok((expected.to_owned(), None)), "{path}");
        assert_eq!(is_normal(path.as_bytes()), path == expected, "{path}");
    }
}

#[test]
fn a_hidden_separator_is_reported_with_its_offset() {
    for (path, expected, hidden_at) in [
        ("/api%2fadmin", "/api%2Fadmin", 1),
        ("/api/a%5cb/c", "/api/a%5Cb/c", 5),
        ("/api/a\\b", "/api/a\\b", 5),
        ("/a.php%00.jpg", "/a.php%00.jpg", 1),
        ("/a/b%2f/c%2f", "/a/b%2F/c%2F", 3),
        ("/pub/x%2f..%2f..%2fadmin", "/pub/x%2F..%2F..%2Fadmin", 0),
        ("/pub/..%2fadmin", "/pub/..%2Fadmin", 0),
        ("/pub/%2e%2e%5cadmin", "/pub/..%5Cadmin", 0),
        ("/pub/x%2f..", "/pub/x%2F..", 0),
        ("/pub/%2f/../x", "/pub/x", 0),
        ("/pub/x%2f..y", "/pub/x%2F..y", 5),
    ] {
        assert_eq!(normal(path), Ok((expected.to_owned(), Some(hidden_at))), "{path}");
        assert!(!is_normal(path.as_bytes()), "{path}");
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
