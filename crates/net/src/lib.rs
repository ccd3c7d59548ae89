//! The runtime of the workers and their sockets.
