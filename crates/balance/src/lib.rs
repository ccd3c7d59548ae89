//! Pure decisions: rule table, algorithms, health state.
