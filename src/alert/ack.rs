//! What an acknowledgement mutes: somebody has seen a story and need not hear more of the same.

use super::catalogue::STORY_UPDATED;
use crate::hit::Severity;

/// Whether an alert about a story is kept from people because the story was acknowledged when its
/// severity was `acked`. `kind` is the alert's type.
///
/// Only updates are muted. What changes the picture is told: a first denial or confirmation,
/// corroboration, a surge, each of a type of its own, and any alert of a higher severity. It also
/// ends the acknowledgement, as whoever gave it had not seen that.
pub fn mutes(acked: Severity, kind: &str, severity: Severity) -> bool {
    kind == STORY_UPDATED && severity <= acked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_mutes_more_of_the_same_until_the_picture_changes() {
        use Severity::{Critical, High, Medium};
        for (kind, severity, muted) in [
            (STORY_UPDATED, High, true),
            (STORY_UPDATED, Medium, true),
            (STORY_UPDATED, Critical, false),
            ("newswatch.story.corroborated", High, false),
            ("newswatch.claim.first_denied", High, false),
            ("newswatch.hit", High, false),
        ] {
            assert_eq!(mutes(High, kind, severity), muted, "{kind} {severity}");
        }
    }
}
