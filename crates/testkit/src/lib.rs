//! Scripted clients and targets, the scenario builder.
