//! The one composition of the core: from a parsed feed to a batch to commit.
