//! Writes `docs/configuration.md` and `docs/configuration.schema.json`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::create_dir_all(&docs)?;
    std::fs::write(docs.join("configuration.md"), config::reference_markdown())?;
    std::fs::write(docs.join("configuration.schema.json"), config::schema())
}
