//! Numbers by chance that are the same in every run (SplitMix64), and texts made of them.

/// The words of made-up news.
const WORDS: [&str; 64] = [
    "minister",
    "envoy",
    "talks",
    "harbour",
    "border",
    "summit",
    "council",
    "treaty",
    "export",
    "railway",
    "pipeline",
    "election",
    "budget",
    "court",
    "strike",
    "storm",
    "bridge",
    "refinery",
    "delegation",
    "statement",
    "ceasefire",
    "exercise",
    "satellite",
    "grain",
    "convoy",
    "union",
    "market",
    "tariff",
    "embassy",
    "navy",
    "island",
    "river",
    "winter",
    "report",
    "source",
    "spokesman",
    "governor",
    "parliament",
    "coalition",
    "protest",
    "hospital",
    "school",
    "factory",
    "airport",
    "visit",
    "meeting",
    "agreement",
    "dispute",
    "sanctions",
    "currency",
    "north",
    "south",
    "eastern",
    "western",
    "Moscow",
    "Beijing",
    "Tokyo",
    "Seoul",
    "Kyiv",
    "Brussels",
    "Pyongyang",
    "Geneva",
    "Ankara",
    "Delhi",
];

/// A source of such numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One that always gives the same numbers for the same parts.
    pub(crate) fn of(parts: &[u64]) -> Self {
        let mut chance = Self(0x9e37_79b9_7f4a_7c15);
        for part in parts {
            chance.0 ^= part.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chance.next();
        }
        chance
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number from 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True so often.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.part() < probability
    }

    /// So many words, the first with a capital.
    pub(crate) fn words(&mut self, count: usize) -> String {
        let mut text = String::new();
        for number in 0..count {
            let word = WORDS[self.below(WORDS.len() as u64) as usize];
            if number == 0 {
                text.push_str(&word[..1].to_uppercase());
                text.push_str(&word[1..]);
            } else {
                text.push(' ');
                text.push_str(word);
            }
        }
        text
    }
}
