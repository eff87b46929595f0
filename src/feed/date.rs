//! Dates as feeds write them. What does not fit as a whole is no date: a wrong one is worse.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Zone names, in minutes east of UTC. CST is China's in feeds of China: such a feed needs a
/// `timezone` of its own, here it is North America's.
const ZONES: &[(&str, i32)] = &[
    ("z", 0),
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("wet", 0),
    ("bst", 60),
    ("cet", 60),
    ("west", 60),
    ("cest", 120),
    ("eet", 120),
    ("sast", 120),
    ("eest", 180),
    ("msk", 180),
    ("trt", 180),
    ("gst", 240),
    ("msd", 240),
    ("pkt", 300),
    ("ist", 330),
    ("hkt", 480),
    ("sgt", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
];

/// The first letters of month names, January first, of languages that feeds use in dates.
const MONTHS: [&[&str]; 12] = [
    &["jan", "янв", "січ", "sty", "jän", "ene", "gen"],
    &["feb", "фев", "лют", "lut", "fév", "fev"],
    &["mar", "мар", "бер", "mär", "mrz"],
    &["apr", "апр", "кві", "kwi", "avr", "abr"],
    &["may", "мая", "май", "тра", "maj", "mai", "mag"],
    &["jun", "июн", "чер", "cze", "juin", "giu"],
    &["jul", "июл", "лип", "lip", "juil", "lug"],
    &["aug", "авг", "сер", "sie", "aoû", "aou", "ago"],
    &["sep", "сен", "вер", "wrz", "set"],
    &["oct", "окт", "жов", "paź", "okt", "out", "ott"],
    &["nov", "ноя", "лис", "lis"],
    &["dec", "дек", "гру", "gru", "dez", "déc", "dic"],
];

/// The longest text that is looked at.
const LONGEST: usize = 100;

/// The time that `text` means. One without a zone lies `utc_offset` seconds east of UTC.
pub(super) fn parse(text: &str, utc_offset: i32) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    epoch(text).or_else(|| {
        let mut parts = Parts::default();
        parts.read(text)?;
        parts.time(utc_offset)
    })
}

/// Whether a time may be one of a publication: not before feeds were, not past tomorrow.
pub(super) fn is_plausible(time: Timestamp, now: Timestamp) -> bool {
    let earliest = Timestamp::from_second(788_918_400).expect("1995 is a time");
    let latest = now + jiff::SignedDuration::from_hours(24);
    (earliest..=latest).contains(&time)
}

/// Seconds or milliseconds since 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        9..=10 => Timestamp::from_second(text.parse().ok()?).ok(),
        13 => Timestamp::from_millisecond(text.parse().ok()?).ok(),
        _ => None,
    }
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: Option<i8>,
    minute: Option<i8>,
    second: Option<i8>,
    afternoon: Option<bool>,
    /// Seconds east of UTC.
    offset: Option<i32>,
    next_day: bool,
}

impl Parts {
    fn read(&mut self, text: &str) -> Option<()> {
        let mut rest = text.to_lowercase();
        // 2023年9月18日, 2023년 9월 18일, 10时30分.
        for (sign, with) in [
            ('年', "-"),
            ('月', "-"),
            ('日', " "),
            ('号', " "),
            ('년', "-"),
            ('월', "-"),
            ('일', " "),
            ('时', ":"),
            ('時', ":"),
            ('시', ":"),
            ('点', ":"),
            ('分', ":00 "),
            ('분', ":00 "),
        ] {
            rest = rest.replace(sign, with);
        }
        rest = rest.replace(":00 :", ":").replace("- ", "-").replace(": ", ":");
        if self.iso(rest.trim()).is_some() {
            return Some(());
        }
        *self = Self::default();
        for word in rest.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()) {
            self.word(word)?;
        }
        Some(())
    }

    /// 2023-09-18T10:00:00.123+08:00 and what is like it.
    fn iso(&mut self, text: &str) -> Option<()> {
        let (date, time) = match text.find(['t', ' ']) {
            Some(at) if at >= 4 => (&text[..at], text[at + 1..].trim()),
            _ => (text, ""),
        };
        self.date(date)?;
        self.year?;
        for word in split_zone(time) {
            self.word(word)?;
        }
        Some(())
    }

    /// 2023-09-18, 2023/9/18, 2023.09.18, 20230918, 18.09.2023, 2023-09, 2023.
    fn date(&mut self, text: &str) -> Option<()> {
        if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.year = text[..4].parse().ok();
            self.month = text[4..6].parse().ok();
            self.day = text[6..].parse().ok();
            return Some(());
        }
        let numbers: Vec<&str> = text.trim_end_matches('-').split(['-', '/', '.']).collect();
        match numbers.as_slice() {
            [year, month, day] if year.len() == 4 => {
                self.year = Some(year.parse().ok()?);
                self.month = Some(month.parse().ok().or_else(|| month_number(month))?);
                self.day = Some(day.parse().ok()?);
            }
            [day, month, year] if year.len() == 4 && day.len() <= 2 => {
                // A day first, as everywhere but in the United States, unless it cannot be one.
                let (first, second): (i8, Option<i8>) = (day.parse().ok()?, month.parse().ok());
                (self.day, self.month) = match second {
                    Some(second) if second > 12 || text.contains('/') && first <= 12 => {
                        (Some(second), Some(first))
                    }
                    Some(second) => (Some(first), Some(second)),
                    None => (Some(first), Some(month_number(month)?)),
                };
                self.year = Some(year.parse().ok()?);
            }
            [day, month, year] if year.len() == 2 && day.len() <= 2 => {
                self.day = Some(day.parse().ok()?);
                self.month = Some(month_number(month)?);
                self.year = Some(2000 + year.parse::<i16>().ok()?);
            }
            [year, month] if year.len() == 4 => {
                self.year = Some(year.parse().ok()?);
                self.month = Some(month.parse().ok()?);
            }
            [year] if year.len() == 4 => self.year = Some(year.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let word = word.trim_matches(['(', ')', '.', ';']);
        if word.is_empty() || matches!(word, "at" | "в" | "о" | "г" | "р" | "de" | "of" | "-") {
            return Some(());
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(':') {
            return self.time_of_day(word);
        }
        if let Some(afternoon) = match word {
            "am" | "a.m" | "오전" | "上午" | "午前" => Some(false),
            "pm" | "p.m" | "오후" | "下午" | "午後" => Some(true),
            _ => None,
        } {
            self.afternoon = Some(afternoon);
            return Some(());
        }
        if word.starts_with(['+', '-']) {
            return self.set_offset(numeric_offset(word)?);
        }
        if let Some(number) = digits(word) {
            return self.number(&word[..number]);
        }
        if let Some(month) = month_number(word)
            && self.month.is_none()
        {
            self.month = Some(month);
            return Some(());
        }
        if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == word) {
            return self.set_offset(minutes * 60);
        }
        if let Some(offset) = word.strip_prefix("gmt").or_else(|| word.strip_prefix("utc")) {
            return self.set_offset(numeric_offset(offset)?);
        }
        if word.contains(['-', '/', '.']) && self.year.is_none() {
            return self.date(word);
        }
        // A weekday says nothing that the date does not, but nothing else may stand here.
        (self.hour.is_none() && word.chars().all(char::is_alphabetic)).then_some(())
    }

    fn number(&mut self, digits: &str) -> Option<()> {
        if digits.len() == 4 {
            if self.year.is_some() {
                return None;
            }
            self.year = Some(digits.parse().ok()?);
        } else if self.day.is_none() && digits.len() <= 2 {
            self.day = Some(digits.parse().ok()?);
        } else if self.year.is_none() && digits.len() == 2 {
            let year: i16 = digits.parse().ok()?;
            self.year = Some(if year < 70 { 2000 + year } else { 1900 + year });
        } else {
            return None;
        }
        Some(())
    }

    fn time_of_day(&mut self, word: &str) -> Option<()> {
        if self.hour.is_some() {
            return None;
        }
        let (word, half) = match word.strip_suffix("am").map(|w| (w, false)) {
            None => match word.strip_suffix("pm") {
                Some(word) => (word, Some(true)),
                None => (word, None),
            },
            Some((word, half)) => (word, Some(half)),
        };
        self.afternoon = self.afternoon.or(half);
        let mut parts = word.split(':').filter(|part| !part.is_empty());
        self.hour = Some(parts.next()?.parse().ok()?);
        self.minute = Some(parts.next().unwrap_or("0").parse().ok()?);
        let second = parts.next().unwrap_or("0");
        self.second = Some(second.split(['.', ',']).next()?.parse().ok()?);
        if parts.next().is_some() {
            return None;
        }
        if self.hour == Some(24) {
            (self.hour, self.next_day) = (Some(0), true);
        }
        if self.second == Some(60) {
            self.second = Some(59);
        }
        Some(())
    }

    fn set_offset(&mut self, seconds: i32) -> Option<()> {
        // `GMT+8` comes as two words in some feeds; the number wins.
        self.offset = Some(seconds);
        Some(())
    }

    fn time(&self, utc_offset: i32) -> Option<Timestamp> {
        let mut hour = self.hour.unwrap_or(0);
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        // A month alone is enough for a date of the archives, a day without a month is not.
        let month = self.month.or(self.day.is_none().then_some(1))?;
        let local = DateTime::new(
            self.year?,
            month,
            self.day.unwrap_or(1),
            hour,
            self.minute.unwrap_or(0),
            self.second.unwrap_or(0),
            0,
        )
        .ok()?;
        let offset = jiff::tz::Offset::from_seconds(self.offset.unwrap_or(utc_offset)).ok()?;
        let time = offset.to_timestamp(local).ok()?;
        Some(if self.next_day { time + jiff::SignedDuration::from_hours(24) } else { time })
    }
}

/// A time of day with a zone glued to it, taken apart.
fn split_zone(time: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in time.split_whitespace() {
        let zone = word
            .char_indices()
            .find(|(at, c)| *at > 0 && (matches!(c, '+' | '-') || *c == 'z') && word.contains(':'));
        match zone {
            Some((at, _)) => words.extend([&word[..at], &word[at..]]),
            None => words.push(word),
        }
    }
    words
}

/// Seconds of `+0300`, `+03:00`, `+3`, `-05`.
fn numeric_offset(text: &str) -> Option<i32> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "0"),
        3 | 4 => digits.split_at(digits.len() - 2),
        _ => return None,
    };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    (seconds <= 14 * 3600).then_some(sign * seconds)
}

/// How many digits a word starts with, when at most an ordinal ending follows.
fn digits(word: &str) -> Option<usize> {
    let count = word.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0 && matches!(&word[count..], "" | "st" | "nd" | "rd" | "th" | "го")).then_some(count)
}

fn month_number(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|names| names.iter().any(|name| word.starts_with(name)))?;
    i8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let time = parse(text, 0).map(|time| time.to_string());
        assert_eq!(time.as_deref().unwrap_or("none"), expected, "{text}");
    }

    #[test]
    fn the_forms_of_the_standards_are_read() {
        check("Mon, 18 Sep 2023 10:00:00 GMT", "2023-09-18T10:00:00Z");
        check("Mon, 18 Sep 2023 10:00:00 +0300", "2023-09-18T07:00:00Z");
        check("18 Sep 23 10:00 EST", "2023-09-18T15:00:00Z");
        check("2023-09-18T10:00:00Z", "2023-09-18T10:00:00Z");
        check("2023-09-18T10:00:00.123+08:00", "2023-09-18T02:00:00Z");
        check("2023-09-18t10:00:00-0500", "2023-09-18T15:00:00Z");
        check("2023-09-18", "2023-09-18T00:00:00Z");
    }

    #[test]
    fn the_forms_that_feeds_invent_are_read() {
        check("2023-09-18 10:00:00", "2023-09-18T10:00:00Z");
        check("2023-09-18 10:00:00 +0800", "2023-09-18T02:00:00Z");
        check("2023/09/18 10:00", "2023-09-18T10:00:00Z");
        check("18.09.2023 10:00", "2023-09-18T10:00:00Z");
        check("Пн, 18 сен 2023 10:00:00 MSK", "2023-09-18T07:00:00Z");
        check("18 сентября 2023, 10:00", "2023-09-18T10:00:00Z");
        check("2023年9月18日 10:00", "2023-09-18T10:00:00Z");
        check("2023년 9월 18일 오후 3:00", "2023-09-18T15:00:00Z");
        check("Tue Jan 11 10:00:00 2011", "2011-01-11T10:00:00Z");
        check("September 18, 2023 3:05 pm", "2023-09-18T15:05:00Z");
        check("Mon, 18 Sep 2023 10:00:00 GMT+8", "2023-09-18T02:00:00Z");
        check("1695031200", "2023-09-18T10:00:00Z");
        check("1695031200000", "2023-09-18T10:00:00Z");
        check("Sun, 17 Sep 2023 24:00:00 GMT", "2023-09-18T00:00:00Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "soon", "2023-13-01", "Mon, 32 Sep 2023 10:00:00 GMT", "10:00", "99", "é"]
        {
            check(text, "none");
        }
    }

    #[test]
    fn a_date_without_a_zone_is_of_the_feeds_zone() {
        let time = parse("2023-09-18 10:00:00", 8 * 3600).unwrap();
        assert_eq!(time.to_string(), "2023-09-18T02:00:00Z");
    }

    #[test]
    fn only_a_plausible_time_is_one_of_a_publication() {
        let now: Timestamp = "2023-09-18T10:00:00Z".parse().unwrap();
        assert!(is_plausible(now + jiff::SignedDuration::from_hours(20), now));
        assert!(!is_plausible(now + jiff::SignedDuration::from_hours(30), now));
        assert!(!is_plausible(Timestamp::UNIX_EPOCH, now));
    }
}
