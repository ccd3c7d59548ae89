//! Scenarios: the real binary, real sockets.
