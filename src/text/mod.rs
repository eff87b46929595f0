//! Text as rules see it: normalised, cut into tokens and sentences, with a way back to the original.
