use proto::cookie::{Routed, SetCookie, remove, remove_routes, values};

/// Cookies of a line, and a target's cookie: what is not named stays byte for byte, and what is written is read back.
pub(crate) fn cookies(bytes: &[u8]) {
    let (name, line) = match bytes.iter().position(|&byte| byte == b'\n') {
        Some(at) => (str::from_utf8(&bytes[..at]).unwrap_or("a"), &bytes[at + 1..]),
        None => ("a", bytes),
    };
    // The names that the configuration accepts.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = if !name.is_empty() && name.bytes().all(is_token) { name } else { "a" };
    removed(line, name);
    routes_removed(line, name);
    set_cookie(line);
}

fn removed(line: &[u8], name: &str) {
    let mut out = b"before".to_vec();
    let is_left = remove(line, name, &mut out);
    let rest = out.strip_prefix(b"before").unwrap();
    assert_eq!(is_left, !rest.is_empty());
    assert!(rest.len() <= line.len());
    assert_eq!(values(rest, name).count(), 0);
    if is_left && values(line, name).next().is_none() {
        assert_eq!(rest, line);
    }
    let others = |line| pairs(line).filter(|pair| !is_of(pair, name)).collect::<Vec<_>>();
    if is_left {
        assert_eq!(others(rest), others(line));
    } else {
        assert!(others(line).iter().all(|pair| pair.is_empty()));
    }
}

fn routes_removed(line: &[u8], name: &str) {
    let mut out = Vec::new();
    let has_removed = remove_routes(line, name, ROUTE.len(), &mut out);
    assert_eq!(has_removed, out != line);
    let others = |line| pairs(line).map(|pair| (!is_of(pair, name)).then_some(pair)).collect::<Vec<_>>();
    assert_eq!(others(&out), others(line));
    let routes = values(line, name).filter(|value| Routed::new(value, ROUTE.len()).is_some()).count();
    assert_eq!(has_removed, routes > 0);
}

/// A browser sends back what it was given, and then the target gets its own.
fn set_cookie(field: &[u8]) {
    let Some(cookie) = SetCookie::parse(field) else { return };
    let _ = cookie.seconds_left(0);
    let mut routed = Vec::new();
    cookie.write_routed(ROUTE.len(), |out| out.extend_from_slice(ROUTE), &mut routed);
    let again = SetCookie::parse(&routed).unwrap();
    assert_eq!(again.name(), cookie.name());
    assert_eq!(again.seconds_left(1), cookie.seconds_left(1));
    assert_eq!(Routed::new(again.value(), ROUTE.len()).map(|routed| routed.route()), Some(ROUTE));
    let own = cookie.value();
    if Routed::new(own, ROUTE.len()).is_none() {
        assert_eq!(routed.len(), field.len() + 1 + ROUTE.len());
        let line = [b"x=1; a=", again.value(), b"; y=2"].concat();
        let mut sent = Vec::new();
        assert!(remove_routes(&line, "a", ROUTE.len(), &mut sent));
        assert_eq!(sent, [b"x=1; a=", own, b"; y=2"].concat());
    }
}

fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b';').map(<[u8]>::trim_ascii)
}

fn is_of(pair: &[u8], name: &str) -> bool {
    pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'=')
}

const ROUTE: &[u8] = b"Ab-_9";
