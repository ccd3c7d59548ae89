//! Reads the operator's configuration and turns it into a checked [`model::Config`].
//!
//! The text goes through three stages: the TOML tree with its spans (crate `toml`), a tree in which every
//! value has the type and range of its definition in `keys` (`check`), and the types of crate `model`
//! (`build`). Each stage goes on after an error, so that an operator sees all errors at once, each with its
//! position. The reference, the JSON schema and the help of a key are made from the same definitions.
//! `evenkeel check`, `run` and the control plane's reload call [`read`].

mod build;
mod check;
mod diagnostic;
mod files;
mod help;
mod keys;
mod near;
mod public_suffix;
mod raw;
mod reading;
mod reference;
mod report;
mod schema;
mod source;
mod time;
mod units;

pub use build::StoreUrl;
pub use diagnostic::{Diagnostic, Errors, Severity};
pub use files::{Disk, Files};
pub use help::{foreign_word, help, nearest_key};
pub use near::nearest;
pub use reading::{Loaded, Reading, can_be_read_again, load, name, parse, read, read_again};
pub use reference::reference_markdown;
pub use schema::schema;
