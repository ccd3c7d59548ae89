//! What a key means, for `evenkeel help KEY`.
use crate::keys;
pub fn help(_key: &str) -> Option<String> {
    None
}
pub fn nearest_key(_key: &str) -> Option<&'static str> {
    let _ = keys::ROOT;
    None
}
