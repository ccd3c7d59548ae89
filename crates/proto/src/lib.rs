//! Sans-I/O wire formats.
