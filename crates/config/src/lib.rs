//! Text to checked configuration, every error with its place.
