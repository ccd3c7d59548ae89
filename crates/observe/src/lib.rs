//! Counters, histograms, the access record and its writers.
