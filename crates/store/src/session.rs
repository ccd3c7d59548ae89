//! Sessions of the data plane as a store keeps them: the names and the values of its items (SP9).

mod name;
mod record;

pub use name::store_key;
pub use record::Record;
