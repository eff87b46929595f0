//! Receivers: how a rendered alert leaves newswatch. One file each.
