//! Surges: whether a rule has far more lineages in a day than its last weeks let expect.
//!
//! Counts of news are spread wider than a Poisson distribution and fall at weekends, so the
//! expectation is a negative binomial distribution, fitted to the days of four weeks with weekends
//! scaled up. Two days before the one in question are left out, so that a surge does not raise its
//! own bar (the guard of EARS C2).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rules::SurgeSettings;

/// Days that are looked back on, the guard left out.
pub const BASELINE: usize = 28;
/// Days between the baseline and the day in question.
pub const GUARD: usize = 2;
/// Days of history below which nothing is said.
pub const LEARNING: usize = 14;
/// The probability above which a surge is over.
pub const LIKELY_AGAIN: f64 = 0.05;
/// When it has been so for that long.
pub const CLEARED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Days above this share of the baseline's days count as this share: a surge of last week must not
/// hide one of today.
const CAP: f64 = 0.95;
/// The least that a rule is taken to expect a day.
const LEAST_MEAN: f64 = 0.1;
/// Added to both means when weekends are compared with weekdays.
const SMOOTHING: f64 = 0.25;
/// The least share of weekdays' news that weekends are taken to have.
const LEAST_WEEKEND: f64 = 0.2;
/// The size of the distribution at most, as a multiple of the mean: beyond, it is Poisson's.
const LARGEST_SIZE: f64 = 200.0;

/// Whether a day stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Surge {
    /// There are too few days to say.
    Learning,
    /// The probability of so many or more, and how many were to be expected.
    Known {
        /// Of so many lineages or more on such a day.
        p: f64,
        /// Lineages to be expected.
        expected: f64,
    },
}

/// A day of the past.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    /// Lineages of the rule.
    pub lineages: u32,
    /// Saturday or Sunday.
    pub weekend: bool,
}

/// How unlikely `today` is after `past` days, oldest first, that end the day before. `health` is
/// the share of the baseline's feeds that can be read today: what cannot be read is not quiet.
pub fn surge(past: &[Day], today: Day, health: f64) -> Surge {
    let past = &past[..past.len().saturating_sub(GUARD)];
    let past = &past[past.len().saturating_sub(BASELINE)..];
    if past.len() < LEARNING {
        return Surge::Learning;
    }
    let cap = quantile(past, CAP);
    let capped = |day: &Day| f64::from(day.lineages).min(cap);
    let mean_of = |weekend: bool| {
        let days = past.iter().filter(|day| day.weekend == weekend);
        let (sum, count) =
            days.fold((0.0, 0.0), |(sum, count), day| (sum + capped(day), count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    };
    let weekend =
        ((mean_of(true) + SMOOTHING) / (mean_of(false) + SMOOTHING)).clamp(LEAST_WEEKEND, 1.0);
    let level: Vec<f64> = past
        .iter()
        .map(|day| if day.weekend { capped(day) / weekend } else { capped(day) })
        .collect();
    let count = level.len() as f64;
    let mean = (level.iter().sum::<f64>() / count).max(LEAST_MEAN);
    let variance = level.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let size = mean * mean / (variance - mean).max(mean * mean / LARGEST_SIZE);
    let expected = mean * if today.weekend { weekend } else { 1.0 } * health;
    Surge::Known { p: tail(expected.max(f64::MIN_POSITIVE), size, today.lineages), expected }
}

/// Whether a rule has a surge: it begins when a day is unlikely, and is over when days have been likely
/// again for [`CLEARED_AFTER`]. Without this, 24 looks a day would find many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurgeState {
    /// Since when it has one.
    pub since: Option<Timestamp>,
    /// Since when its days have been likely again.
    pub likely_since: Option<Timestamp>,
}

impl SurgeState {
    /// What it is after a look at `now` that found so many lineages.
    pub fn step(
        self,
        found: Surge,
        lineages: u32,
        settings: &SurgeSettings,
        now: Timestamp,
    ) -> Self {
        let Surge::Known { p, .. } = found else { return Self::default() };
        match self.since {
            None if p < settings.p && lineages >= settings.min_count => {
                Self { since: Some(now), likely_since: None }
            }
            None => self,
            Some(_) if p <= LIKELY_AGAIN => Self { likely_since: None, ..self },
            Some(_) => {
                let likely_since = self.likely_since.unwrap_or(now);
                if now.duration_since(likely_since) >= CLEARED_AFTER {
                    return Self::default();
                }
                Self { likely_since: Some(likely_since), ..self }
            }
        }
    }
}

/// The count that a share of the days does not exceed, interpolated between neighbours.
fn quantile(days: &[Day], share: f64) -> f64 {
    let mut counts: Vec<u32> = days.iter().map(|day| day.lineages).collect();
    counts.sort_unstable();
    let place = share * (counts.len() - 1) as f64;
    let (low, high) = (counts[place.floor() as usize], counts[place.ceil() as usize]);
    f64::from(low) + (f64::from(high) - f64::from(low)) * place.fract()
}

/// The probability of `count` or more under a negative binomial distribution of this mean and size.
fn tail(mean: f64, size: f64, count: u32) -> f64 {
    // The terms of the lower part, each from the one before, in logarithms: they may be tiny.
    let mut log_term = size * (size / (size + mean)).ln();
    let log_ratio = (mean / (size + mean)).ln();
    let mut below = 0.0;
    for k in 0..count {
        below += log_term.exp();
        if below >= 1.0 {
            return 0.0;
        }
        log_term += ((f64::from(k) + size) / (f64::from(k) + 1.0)).ln() + log_ratio;
    }
    (1.0 - below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the simulation takes for unlikely: what rules do by themselves.
    const UNLIKELY: f64 = 0.001;

    /// A small generator of random numbers (SplitMix64): the simulation is the same on every run.
    struct Random(u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// A count of a negative binomial distribution, by turning its sums round.
        fn count(&mut self, mean: f64, size: f64) -> u32 {
            let wanted = self.unit();
            let mut term = (size / (size + mean)).powf(size);
            let (mut sum, mut k) = (term, 0_u32);
            while sum < wanted && k < 10_000 {
                term *= (f64::from(k) + size) / (f64::from(k) + 1.0) * mean / (size + mean);
                sum += term;
                k += 1;
            }
            k
        }
    }

    /// False alarms in 100 days, and the share of one-day bursts of three times the mean and four
    /// that is found, over 150 series of 140 days whose weekends have 0.38 of a weekday's news.
    fn simulate(base: f64, size: f64) -> (f64, f64) {
        let mut random = Random(7);
        let (mut days, mut alarms, mut bursts, mut found) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..150 {
            let series: Vec<Day> = (0..140)
                .map(|day| {
                    let weekend = day % 7 >= 5;
                    let mean = base * if weekend { 0.38 } else { 1.0 };
                    Day { lineages: random.count(mean, size), weekend }
                })
                .collect();
            let unlikely = |past: &[Day], today: Day| {
                matches!(surge(past, today, 1.0), Surge::Known { p, .. } if p < UNLIKELY)
                    && today.lineages >= 3
            };
            for day in BASELINE + GUARD..series.len() {
                let (past, today) = (&series[..day], series[day]);
                days += 1.0;
                alarms += f64::from(u8::from(unlikely(past, today)));
                let burst = (3.0 * base + 4.0).round() as u32;
                let burst = Day { lineages: today.lineages + burst, ..today };
                bursts += 1.0;
                found += f64::from(u8::from(unlikely(past, burst)));
            }
        }
        (alarms * 100.0 / days, found / bursts)
    }

    #[test]
    fn false_alarms_are_rare_and_bursts_are_found() {
        // Series spread about as the counts of real rules, and others spread wider.
        let moderate =
            [(0.5, 0.96), (2.0, 0.70), (8.0, 0.87), (30.0, 0.995)].map(|case| (8.0, case));
        let wide = [(0.5, 0.96), (2.0, 0.70), (8.0, 0.87), (30.0, 0.94)].map(|case| (4.0, case));
        for (size, (base, detection)) in moderate.into_iter().chain(wide) {
            let (alarms, found) = simulate(base, size);
            assert!(
                alarms <= 0.6,
                "{alarms} false alarms in 100 days at {base} a day, size {size}"
            );
            assert!(found >= detection, "{found} of the bursts at {base} a day, size {size}");
        }
    }

    #[test]
    fn a_surge_begins_once_and_ends_when_days_have_been_likely_for_long() {
        let settings = SurgeSettings { p: 0.001, min_count: 5 };
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let known = |p| Surge::Known { p, expected: 1.0 };
        let calm = SurgeState::default();
        assert_eq!(calm.step(known(0.0001), 4, &settings, at(0)), calm, "four are too few");
        assert_eq!(calm.step(Surge::Learning, 50, &settings, at(0)), calm);
        let surging = calm.step(known(0.0001), 5, &settings, at(0));
        assert_eq!(surging.since, Some(at(0)));
        assert_eq!(surging.step(known(0.0001), 50, &settings, at(1)).since, Some(at(0)));
        let easing = surging.step(known(0.3), 2, &settings, at(2));
        assert_eq!(easing.likely_since, Some(at(2)));
        assert_eq!(easing.step(known(0.04), 4, &settings, at(3)), surging);
        assert_eq!(easing.step(known(0.3), 2, &settings, at(25)), easing);
        assert_eq!(easing.step(known(0.3), 2, &settings, at(26)), calm);
    }

    #[test]
    fn nothing_is_said_before_there_is_history() {
        let day = Day { lineages: 1, weekend: false };
        let busy = Day { lineages: 100, weekend: false };
        assert_eq!(surge(&[day; LEARNING + GUARD - 1], busy, 1.0), Surge::Learning);
        let Surge::Known { p, .. } = surge(&[day; LEARNING + GUARD], busy, 1.0) else {
            panic!("two weeks are enough");
        };
        assert!(p < UNLIKELY);
    }

    #[test]
    fn half_of_the_feeds_let_half_be_expected() {
        let past = [Day { lineages: 10, weekend: false }; 30];
        let today = Day { lineages: 10, weekend: false };
        let expected = |health| match surge(&past, today, health) {
            Surge::Known { expected, .. } => expected,
            Surge::Learning => panic!("a month is enough"),
        };
        assert_eq!(expected(0.5) * 2.0, expected(1.0));
    }

    #[test]
    fn the_tail_of_the_distribution_is_right() {
        // Size 1 is geometric: P(X >= k) = (mean / (1 + mean))^k.
        assert!((tail(1.0, 1.0, 3) - 0.125).abs() < 1e-12);
        assert_eq!(tail(1.0, 1.0, 0), 1.0);
        // As the size grows it becomes Poisson's: P(X >= 1) = 1 - e^-2.
        assert!((tail(2.0, 1e9, 1) - (1.0 - (-2.0_f64).exp())).abs() < 1e-6);
    }
}
