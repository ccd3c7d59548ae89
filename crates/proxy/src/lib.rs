//! The data plane: the story of a request.
