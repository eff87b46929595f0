//! A number with its noun, as a person writes it.

use std::fmt::Display;

/// `1 feed`, `2 feeds`, `0 entities`.
pub(crate) fn count(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    if number == "1" {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let said = [count(0, "error"), count(1, "error"), count(2, "delivery"), count(3, "day")];
        assert_eq!(said, ["0 errors", "1 error", "2 deliveries", "3 days"]);
        assert_eq!(count(1, "entity"), "1 entity");
    }
}
