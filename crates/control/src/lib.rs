//! The control plane: reload, admin API, probes.
