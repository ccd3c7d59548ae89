//! What soak's clients and targets agree on: `/echo/ID/SIZE`, and bodies that follow from the id.

use balance::Rng;

/// The id and the size in a request line with `/echo/ID/SIZE`.
pub(crate) fn requested(start: &str) -> Option<(u64, usize)> {
    let mut parts = start.split(' ').nth(1)?.strip_prefix("/echo/")?.split('/');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The body of an id.
pub(crate) fn pattern(id: u64, size: usize) -> Vec<u8> {
    let mut random = Rng::new(id);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Returns true if a target closes the connection after its response.
pub(crate) fn closes(id: u64) -> bool {
    id.is_multiple_of(41)
}

/// One chunk of a chunked body; an empty one is the last.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_path() {
        assert_eq!(requested("GET /echo/17/4096 HTTP/1.1"), Some((17, 4096)));
        assert!(requested("GET /other HTTP/1.1").is_none() && requested("").is_none());
    }

    #[test]
    fn bodies_differ_by_id() {
        assert_eq!(pattern(7, 13).len(), 13);
        assert_ne!(pattern(7, 13), pattern(8, 13));
    }

    #[test]
    fn an_empty_chunk_is_the_last() {
        assert_eq!(chunk(b"hello, hello, hello"), b"13\r\nhello, hello, hello\r\n");
        assert_eq!(chunk(b""), b"0\r\n\r\n");
    }
}
