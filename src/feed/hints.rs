//! What a document says about when it wants to be asked.

use std::time::Duration;

use crate::poll::Hints;

/// Minutes; longer wishes are what software writes when nobody has thought about it.
const LONGEST_PAUSE: u32 = 60;
const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Gathers the elements that say so; each is given its text, with the mark-up in it.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::feed) struct Collector {
    ttl: u32,
    /// Minutes.
    period: u32,
    frequency: u32,
    skip_hours: u32,
    skip_days: u8,
}

impl Collector {
    /// RSS `ttl`.
    pub(in crate::feed) fn ttl(&mut self, text: &str) {
        self.ttl = number(text);
    }

    /// `sy:updatePeriod`.
    pub(in crate::feed) fn update_period(&mut self, text: &str) {
        self.period = match text.trim().to_ascii_lowercase().as_str() {
            "hourly" => 60,
            "daily" | "weekly" | "monthly" | "yearly" => 24 * 60,
            _ => 0,
        };
    }

    /// `sy:updateFrequency`: how often in that period.
    pub(in crate::feed) fn update_frequency(&mut self, text: &str) {
        self.frequency = number(text);
    }

    /// RSS `skipHours`. RSS 0.91 counts from 1 to 24, RSS 2.0 from 0 to 23.
    pub(in crate::feed) fn skip_hours(&mut self, text: &str) {
        let hours = words(text).filter_map(|word| word.parse::<u32>().ok());
        self.skip_hours =
            hours.filter(|hour| *hour <= 24).fold(0, |all, hour| all | 1 << (hour % 24));
    }

    /// RSS `skipDays`.
    pub(in crate::feed) fn skip_days(&mut self, text: &str) {
        let place = |word: &str| DAYS.iter().position(|day| word.eq_ignore_ascii_case(day));
        self.skip_days = words(text).filter_map(place).fold(0, |all, day| all | 1 << day);
    }

    /// What they say together.
    pub(in crate::feed) fn hints(self) -> Hints {
        let sy = self.period / self.frequency.max(1);
        let minutes = self.ttl.min(LONGEST_PAUSE).max(sy.min(LONGEST_PAUSE));
        let Self { skip_hours, skip_days, .. } = self;
        Hints { pause: Duration::from_secs(u64::from(minutes) * 60), skip_hours, skip_days }
    }
}

fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or(0)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hints of a channel with these elements: minutes, hours, days.
    fn hints(elements: &str) -> (u64, u32, u8) {
        let document = format!(
            "<rss version=\"2.0\"><channel><title>t</title>{elements}\
             <item><title>i</title><ttl>1</ttl></item></channel></rss>"
        );
        let parsed = crate::feed::parse(&crate::feed::Document {
            bytes: document.as_bytes(),
            charset: None,
            encoding: None,
            base: None,
            utc_offset: None,
            now: jiff::Timestamp::UNIX_EPOCH,
        });
        let Hints { pause, skip_hours, skip_days } = parsed.unwrap().feed.hints;
        (pause.as_secs() / 60, skip_hours, skip_days)
    }

    #[test]
    fn ttl_and_the_syndication_module_are_heard_up_to_an_hour() {
        let frequency = |times| {
            format!(
                "<sy:updatePeriod>hourly</sy:updatePeriod>\
                 <sy:updateFrequency>{times}</sy:updateFrequency>"
            )
        };
        assert_eq!(hints("<ttl>15</ttl>").0, 15);
        assert_eq!(hints("<ttl>1440</ttl>").0, 60);
        assert_eq!(hints("<ttl>soon</ttl>").0, 0);
        assert_eq!(hints("<sy:updatePeriod> hourly </sy:updatePeriod>").0, 60);
        assert_eq!(hints("<sy:updatePeriod>daily</sy:updatePeriod>").0, 60);
        assert_eq!(hints(&frequency(4)).0, 15);
        assert_eq!(hints(&format!("<ttl>30</ttl>{}", frequency(4))).0, 30);
    }

    #[test]
    fn hours_and_days_are_those_of_the_week_in_utc() {
        let hours =
            "<skipHours><hour>0</hour> <hour>5</hour><hour>24</hour><hour>25</hour></skipHours>";
        let days = "<skipDays><day>Monday</day><day>sunday</day><day>Caturday</day></skipDays>";
        assert_eq!(hints(&format!("{hours}{days}")), (0, 0b10_0001, 0b100_0001));
        assert_eq!(hints("<day>Monday</day><hour>5</hour>"), (0, 0, 0));
    }
}
