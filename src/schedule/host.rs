//! How far apart the requests to one host lie: further after it has asked to be left alone, and
//! closer again as it goes on answering.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::pace::{THROTTLED, step};

/// A gap is never widened beyond this.
const WIDEST: Duration = Duration::from_secs(600);
/// The gap that is doubled where the configuration has a shorter one, or none.
const NARROWEST: Duration = Duration::from_secs(1);
/// A widened gap is halved after so many good answers.
const ENOUGH_ANSWERS: u32 = 20;

/// The gap between requests to a host that has asked to be left alone; that of any other host is
/// the usual one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostPace {
    /// The gap that is kept in place of the usual one, as long as it is wider.
    pub gap: Option<Duration>,
    /// Good answers since the gap was last changed.
    pub answers: u32,
    /// How often in a row it has asked to be left alone, whichever of its feeds was asked for.
    pub refusals: u32,
}

/// What the store remembers of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostState {
    /// It is not to be asked before this.
    pub not_before: Option<Timestamp>,
    /// How far apart requests to it lie.
    pub pace: HostPace,
}

/// What requests are spaced by: the host and port that a feed is asked at, or the file itself.
pub fn host_of(url: &Url) -> String {
    match url.host_str() {
        Some(host) => format!("{host}:{}", url.port_or_known_default().unwrap_or_default()),
        None => url.path().to_owned(),
    }
}

impl HostPace {
    /// The gap to keep where it is `usual` for other hosts.
    pub fn gap(self, usual: Duration) -> Duration {
        self.gap.map_or(usual, |gap| gap.max(usual))
    }

    /// After the host has asked to be left alone.
    pub fn refused(self, usual: Duration) -> Self {
        let gap = self.gap(usual).max(NARROWEST) * 2;
        let refusals = self.refusals.saturating_add(1);
        Self { gap: Some(gap.min(WIDEST.max(usual))), answers: 0, refusals }
    }

    /// For how long the host is left alone after so many refusals in a row, whatever it says.
    pub fn rest(self) -> SignedDuration {
        SignedDuration::from_secs(step(THROTTLED, self.refusals))
    }

    /// After a good answer.
    pub fn answered(self, usual: Duration) -> Self {
        let Some(gap) = self.gap else { return self };
        if self.answers + 1 < ENOUGH_ANSWERS {
            return Self { answers: self.answers + 1, refusals: 0, ..self };
        }
        let gap = gap / 2;
        Self { gap: (gap > usual.max(NARROWEST)).then_some(gap), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(2);

    fn gaps(mut pace: HostPace, usual: Duration, refusals: usize, answers: usize) -> Vec<u64> {
        let mut gaps = vec![pace.gap(usual).as_secs()];
        let refused = std::iter::repeat_n(true, refusals);
        for refused in refused.chain(std::iter::repeat_n(false, answers)) {
            pace = if refused { pace.refused(usual) } else { pace.answered(usual) };
            gaps.push(pace.gap(usual).as_secs());
        }
        gaps.dedup();
        gaps
    }

    #[test]
    fn the_gap_doubles_with_each_refusal_up_to_ten_minutes() {
        let expected = [2, 4, 8, 16, 32, 64, 128, 256, 512, 600];
        assert_eq!(gaps(HostPace::default(), USUAL, 20, 0), expected);
        assert_eq!(gaps(HostPace::default(), Duration::ZERO, 3, 0), [0, 2, 4, 8]);
        assert_eq!(gaps(HostPace::default(), Duration::from_secs(900), 3, 0), [900]);
    }

    #[test]
    fn twenty_good_answers_halve_it_until_it_is_the_usual_one_again() {
        assert_eq!(gaps(HostPace::default(), USUAL, 2, 19), [2, 4, 8]);
        assert_eq!(gaps(HostPace::default(), USUAL, 2, 20), [2, 4, 8, 4]);
        assert_eq!(gaps(HostPace::default(), USUAL, 2, 40), [2, 4, 8, 4, 2]);
        let pace = (0..40).fold(HostPace::default().refused(USUAL).refused(USUAL), |pace, _| {
            pace.answered(USUAL)
        });
        assert_eq!(pace, HostPace::default());
    }

    #[test]
    fn a_refusal_among_good_answers_has_them_counted_anew() {
        let mut pace = HostPace::default().refused(USUAL);
        for _ in 0..19 {
            pace = pace.answered(USUAL);
        }
        pace = pace.refused(USUAL);
        assert_eq!(pace, HostPace { gap: Some(Duration::from_secs(8)), answers: 0, refusals: 1 });
    }

    #[test]
    fn a_host_rests_longer_with_each_refusal_in_a_row_up_to_a_day() {
        let mut pace = HostPace::default();
        let mut hours = Vec::new();
        for _ in 0..7 {
            pace = pace.refused(USUAL);
            hours.push(pace.rest().as_hours());
        }
        assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
        assert_eq!(pace.answered(USUAL).refused(USUAL).rest(), SignedDuration::from_hours(1));
    }

    #[test]
    fn a_host_that_never_refused_is_not_remembered() {
        assert_eq!(HostPace::default().answered(USUAL), HostPace::default());
    }
}
