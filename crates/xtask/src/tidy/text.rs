//! The text files of the project.

use std::path::Path;

use crate::Outcome;

/// A text file; `path` is relative to the root.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All of them, by path.
pub(crate) fn read(root: &Path) -> Outcome<Vec<Text>> {
    let mut texts = Vec::new();
    walk(root, root, &mut texts)?;
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(texts)
}

fn walk(root: &Path, directory: &Path, texts: &mut Vec<Text>) -> Outcome {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for entry in std::fs::read_dir(directory).map_err(|error| failed(directory, error))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_ref()) {
                walk(root, &path, texts)?;
            }
        } else if TEXT.iter().any(|extension| name.ends_with(extension)) {
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            texts.push(Text { path: relative.display().to_string(), text });
        }
    }
    Ok(())
}

/// Built, fetched or found by fuzzing.
const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "corpus", "artifacts"];
const TEXT: &[&str] =
    &[".rs", ".md", ".toml", ".yml", ".cfg", ".conf", ".sh", ".service", ".html", ".js", ".css"];
