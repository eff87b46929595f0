//! Dates as feeds write them. What does not fit as a whole is no date: a wrong one is worse.

mod names;

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

/// The longest text that is looked at.
const LONGEST: usize = 100;

/// Reads the dates of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// The offset from UTC, in seconds, of dates that name no zone; UTC when absent.
    pub(super) utc_offset: Option<i32>,
    /// Dates further ahead than a day are not believed.
    pub(super) now: Timestamp,
}

impl Reader {
    /// The time that `text` means, if it may be one of a publication.
    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        parse(text, self.utc_offset).filter(|time| is_plausible(*time, self.now))
    }
}

/// The time that `text` means, in a feed that lies `home` seconds east of UTC.
fn parse(text: &str, home: Option<i32>) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    standard(text).or_else(|| epoch(text)).or_else(|| {
        let mut date = Date { home, ..Date::default() };
        for word in plain(text).split_whitespace() {
            date.word(word)?;
        }
        date.time()
    })
}

/// Whether a time may be one of a publication: not before feeds were, not past tomorrow.
fn is_plausible(time: Timestamp, now: Timestamp) -> bool {
    let earliest = Timestamp::from_second(788_918_400).expect("1995 is a time");
    let latest = now + SignedDuration::from_hours(24);
    (earliest..=latest).contains(&time)
}

/// The forms of RFC 3339 and RFC 5322 that say how far from UTC they are in numbers: nearly all dates.
fn standard(text: &str) -> Option<Timestamp> {
    let zone = text.get(text.len().checked_sub(6)?..)?;
    let time = match text.as_bytes().get(10)? {
        b'T' if zone.ends_with('Z') || numeric_offset(zone).is_some() => text.parse().ok()?,
        _ if zone.ends_with(" GMT") || numeric_offset(zone.strip_prefix(' ')?).is_some() => {
            rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?
        }
        _ => return None,
    };
    Timestamp::from_second(time.as_second()).ok()
}

/// Seconds or milliseconds since 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    let text = match text.split_once('.') {
        Some((seconds, fraction)) if seconds.len() > 8 && is_number(fraction) => seconds,
        _ => text,
    };
    if !is_number(text) {
        return None;
    }
    match text.len() {
        9..=10 => Timestamp::from_second(text.parse().ok()?).ok(),
        13 => Timestamp::from_millisecond(text.parse().ok()?).ok(),
        _ => None,
    }
}

/// A date in lower case, without remarks in brackets, and with `-`, `:` and spaces for the signs of
/// East Asia: 2023年9月18日 10時30分 is 2023-9-18 10:30.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_u32;
    let lower = text.to_lowercase();
    let mut rest = lower.chars().peekable();
    while let Some(c) = rest.next() {
        let after_digit = out.trim_end().ends_with(|c: char| c.is_ascii_digit());
        let before_digit = rest.peek().is_some_and(char::is_ascii_digit);
        let sign = match c {
            '(' | '（' => {
                depth += 1;
                continue;
            }
            ')' | '）' => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ if depth > 0 => continue,
            '年' | '년' | '月' | '월' if after_digit => '-',
            '时' | '時' | '시' | '点' | '點' | '分' | '분' if after_digit => ':',
            'h' if after_digit && before_digit => ':',
            '.' if after_digit && joins_numbers(&out, rest.clone()) => '-',
            '日' | '号' | '號' | '일' | '秒' | '초' if after_digit => ' ',
            // A fraction of a second, or the end of a word.
            ',' if before_digit
                && out.rsplit(' ').next().is_some_and(|word| word.contains(':')) =>
            {
                '.'
            }
            ',' | ';' | '，' | '،' => ' ',
            c => c,
        };
        if sign != c && sign != ' ' && sign != '.' {
            // Whatever spaces stood round the sign are part of it.
            out.truncate(out.trim_end().len());
            while rest.next_if(|c| c.is_whitespace()).is_some() {}
            if rest.peek().is_none_or(|c| !c.is_ascii_digit()) {
                // Nothing smaller follows: 2023年9月, 10時30分.
                out.push(' ');
                continue;
            }
        }
        out.push(sign);
    }
    out
}

/// Whether a point with a space behind it parts the numbers of a date: 2023. 9. 18., 18. 9. 2023.
fn joins_numbers(before: &str, mut rest: impl Iterator<Item = char>) -> bool {
    if !rest.next().is_some_and(char::is_whitespace) {
        return false;
    }
    let mut rest = rest.skip_while(|c| c.is_whitespace()).peekable();
    let mut digits = 0;
    while rest.next_if(char::is_ascii_digit).is_some() {
        digits += 1;
    }
    let is_year = digits == 4 && before.rsplit(' ').next().is_some_and(|word| word.contains('-'));
    digits > 0 && (is_year || rest.peek() == Some(&'.'))
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Date {
    /// The feed's own distance from UTC.
    home: Option<i32>,
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: Option<i8>,
    minute: i8,
    second: i8,
    afternoon: Option<bool>,
    /// Seconds east of UTC, by a number and by a name: the number wins.
    offset: Option<i32>,
    zone: Option<i32>,
}

impl Date {
    /// Takes a word in; None when it has no place in a date.
    fn word(&mut self, word: &str) -> Option<()> {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return self.digits(word);
        }
        if word.len() > 1 && word.starts_with(['+', '-']) {
            return set(&mut self.offset, numeric_offset(word)?);
        }
        if let Some((afternoon, rest)) = names::half(word) {
            set(&mut self.afternoon, afternoon)?;
            return if rest.is_empty() { Some(()) } else { self.word(rest) };
        }
        let bare = word.trim_end_matches('.');
        if let Some(month) = names::month(bare) {
            // French `mar.` is a Tuesday when a month follows.
            if self.month == Some(3) && month != 3 {
                self.month = None;
            }
            return set(&mut self.month, month);
        }
        if names::is_weekday(bare) {
            return Some(());
        }
        if names::is_filler(word) && (word != "at" || self.hour.is_none()) {
            return Some(());
        }
        if bare == "at" {
            return set(&mut self.zone, -4 * 3600);
        }
        // RFC 2822 section 4.3: one letter is a zone of the military, of which nobody knows the sign.
        if self.hour.is_some() && bare.len() == 1 && bare != "z" && bare != "j" {
            return bare.bytes().all(|byte| byte.is_ascii_lowercase()).then_some(());
        }
        if let Some(seconds) = names::zone(bare, self.home) {
            return set(&mut self.zone, seconds);
        }
        let offset = ["gmt", "utc", "ut"].iter().find_map(|zone| word.strip_prefix(zone))?;
        set(&mut self.offset, numeric_offset(offset)?)
    }

    /// A word that starts with a digit: a date, a time of the day, both, or a number.
    fn digits(&mut self, word: &str) -> Option<()> {
        let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (number, rest) = word.split_at(end);
        if rest.starts_with(':') {
            return self.time_of_day(word);
        }
        if let Some((date, time)) = word.split_once('t').or_else(|| word.split_once('_'))
            && time.starts_with(|c: char| c.is_ascii_digit())
        {
            self.date(date, true)?;
            return self.time_of_day(time);
        }
        if rest.trim_end_matches('.').contains(['-', '/', '.']) {
            return self.date(word, false);
        }
        match (rest, number.len()) {
            ("", 14) => {
                self.date(&number[..8], false)?;
                self.time_of_day(&number[8..])
            }
            ("", 8) => self.date(number, false),
            ("", 6) if self.day.is_some() => self.time_of_day(number),
            ("", 4) => set(&mut self.year, number.parse().ok()?),
            // 3 pm, without minutes.
            ("am" | "pm", 1..=2) => {
                set(&mut self.hour, number.parse().ok()?)?;
                self.word(rest)
            }
            ("" | "." | "st" | "nd" | "rd" | "th" | "го" | "er", 1..=2) if self.day.is_none() => {
                set(&mut self.day, number.parse().ok()?)
            }
            // RFC 822 had years of two digits.
            ("", 2) => {
                let year: i16 = number.parse().ok()?;
                set(&mut self.year, if year < 70 { 2000 + year } else { 1900 + year })
            }
            _ => None,
        }
    }

    /// 2023-09-18, 2023/9/18, 2023.09.18, 20230918, 18.09.2023, 18-Sep-23, 2023-09.
    fn date(&mut self, text: &str, iso: bool) -> Option<()> {
        let (year, month, day);
        let parts: Vec<&str> = text.trim_end_matches(['-', '.']).split(['-', '/', '.']).collect();
        let number = |text: &str| is_number(text).then(|| text.parse::<i8>().ok()).flatten();
        match parts.as_slice() {
            [all] if all.len() == 8 && is_number(all) => {
                (year, month, day) = (&all[..4], number(&all[4..6])?, Some(number(&all[6..])?));
            }
            [y, m] if y.len() == 4 => (year, month, day) = (*y, number(m)?, None),
            [y, m, d] if y.len() == 4 || iso && y.len() == 2 => {
                (year, month, day) = (*y, number(m).or_else(|| names::month(m))?, Some(number(d)?));
            }
            [d, m, y] if matches!(y.len(), 2 | 4) && d.len() <= 2 => match names::month(m) {
                Some(name) => (year, month, day) = (*y, name, Some(number(d)?)),
                // A day first, as everywhere but in the United States, unless it cannot be one.
                None if y.len() == 4 => {
                    let (first, second) = (number(d)?, number(m)?);
                    let month_first = second > 12 || text.contains('/') && first <= 12;
                    let (m, d) = if month_first { (first, second) } else { (second, first) };
                    (year, month, day) = (*y, m, Some(d));
                }
                None => return None,
            },
            _ => return None,
        }
        if !is_number(year) {
            return None;
        }
        let century = if year.len() == 2 { 2000 } else { 0 };
        set(&mut self.year, century + year.parse::<i16>().ok()?)?;
        set(&mut self.month, month)?;
        day.map_or(Some(()), |day| set(&mut self.day, day))
    }

    /// 10:00, 10:00:00.123, 100000, with whatever zone or half of the day stands behind it.
    fn time_of_day(&mut self, text: &str) -> Option<()> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.'));
        let (clock, rest) = text.split_at(end.unwrap_or(text.len()));
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let parts: Vec<&str> = if clock.contains(':') {
            clock.split(':').collect()
        } else if matches!(clock.len(), 2 | 4 | 6) {
            [0, 2, 4].into_iter().filter_map(|at| clock.get(at..at + 2)).collect()
        } else {
            return None;
        };
        let good = |part: &&str| matches!(part.len(), 1 | 2) && is_number(part);
        if parts.len() > 3 || !parts.iter().all(good) {
            return None;
        }
        if !fraction.is_empty() && !is_number(fraction) {
            return None;
        }
        let mut numbers = parts.iter().filter_map(|part| part.parse::<i8>().ok());
        set(&mut self.hour, numbers.next()?)?;
        self.minute = numbers.next().unwrap_or(0);
        // A leap second is the last of its minute.
        self.second = numbers.next().map_or(0, |second| if second == 60 { 59 } else { second });
        if rest.is_empty() { Some(()) } else { self.word(rest) }
    }

    fn time(&self) -> Option<Timestamp> {
        // A month or a year alone is enough for a date of the archives, but not for an hour.
        let exact = self.day.is_some() && self.month.is_some();
        let vague = self.day.is_none() && self.hour.is_none();
        if !(exact || vague) || (self.afternoon.is_some() && self.hour.is_none()) {
            return None;
        }
        let mut hour = self.hour.unwrap_or(0);
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        // ISO 8601: 24:00:00 is the end of its day.
        let next_day = hour == 24 && self.minute == 0 && self.second == 0;
        let local = DateTime::new(
            self.year?,
            self.month.unwrap_or(1),
            self.day.unwrap_or(1),
            if next_day { 0 } else { hour },
            self.minute,
            self.second,
            0,
        )
        .ok()?;
        let seconds = self.offset.or(self.zone).or(self.home).unwrap_or(0);
        let time = jiff::tz::Offset::from_seconds(seconds).ok()?.to_timestamp(local).ok()?;
        time.checked_add(SignedDuration::from_hours(if next_day { 24 } else { 0 })).ok()
    }
}

/// Sets what was not said before; a date does not say it twice.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds of `+0300`, `+03:00`, `+3`, `-05`.
fn numeric_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if matches!(digits.len(), 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    if !is_number(hours) || !is_number(minutes) || hours.len() > 2 || minutes.len() > 2 {
        return None;
    }
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    (seconds <= 14 * 3600).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let time = parse(text, None).map(|time| time.to_string());
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
        check("1695031200.25", "2023-09-18T10:00:00Z");
        check("20230918 100000", "2023-09-18T10:00:00Z");
        check("Sun, 17 Sep 2023 24:00:00 GMT", "2023-09-18T00:00:00Z");
    }

    #[test]
    fn the_words_of_many_languages_are_read() {
        check("Вт, 19 сент. 2023 г. в 10:00 МСК", "2023-09-19T07:00:00Z");
        check("19 вересня 2023 р. о 10:00", "2023-09-19T10:00:00Z");
        check("wtorek, 19 września 2023 10:00", "2023-09-19T10:00:00Z");
        check("Di, 19. September 2023 um 10:00 Uhr", "2023-09-19T10:00:00Z");
        check("mar., 19 sept. 2023 à 10h30", "2023-09-19T10:30:00Z");
        check("1er août 2023", "2023-08-01T00:00:00Z");
        check("2023年9月19日（火） 10時30分", "2023-09-19T10:30:00Z");
        check("2023年 9月 19日 下午3:05", "2023-09-19T15:05:00Z");
        check("2023년 9월 19일 (화) 오전 12:05", "2023-09-19T00:05:00Z");
        check("2023년 9월 19일 화요일 오후3시 5분 7초", "2023-09-19T15:05:07Z");
        check("2023年9月", "2023-09-01T00:00:00Z");
        check("2023. 9. 19. 오후 3:05:07", "2023-09-19T15:05:07Z");
        check("2023. 9. 19. 15:05", "2023-09-19T15:05:00Z");
        check("út, 19. 9. 2023 10:00", "2023-09-19T10:00:00Z");
        check("19. září 2023", "2023-09-19T00:00:00Z");
        check("19 Eylül 2023 Salı 10:00", "2023-09-19T10:00:00Z");
        check("Ter, 19 Set 2023 10:00:00 -0300", "2023-09-19T13:00:00Z");
        check("Τρι, 19 Σεπ 2023 10:00:00 +0300", "2023-09-19T07:00:00Z");
        check("الثلاثاء، 19 سبتمبر 2023 10:00:00 +0000", "2023-09-19T10:00:00Z");
    }

    #[test]
    fn zones_are_read_in_every_form() {
        check("Tue 11 Jan 2011 10:00:00 KST", "2011-01-11T01:00:00Z");
        check("Tue, 19 Sep 2023 10:00:00 +0300 (MSK)", "2023-09-19T07:00:00Z");
        check("Tue Sep 19 2023 10:00:00 GMT+0300 (Moscow Standard Time)", "2023-09-19T07:00:00Z");
        check("Tue, 19 Sep 2023 10:00:00EST", "2023-09-19T15:00:00Z");
        check("Tue, 19 Sep 2023 10:00:00 G", "2023-09-19T10:00:00Z");
        check("20230919T100000Z", "2023-09-19T10:00:00Z");
        check("20230919100000", "2023-09-19T10:00:00Z");
        check("2023-09-19 10:00:00,123+08:00", "2023-09-19T02:00:00Z");
        check("2023-09-19 T 10:00:00+08:00", "2023-09-19T02:00:00Z");
        check("23-09-19T10:00:00Z", "2023-09-19T10:00:00Z");
        check("Sep 19, 2023 at 3:05 p.m. ET", "2023-09-19T20:05:00Z");
        let china = |text| parse(text, Some(8 * 3600)).unwrap().to_string();
        assert_eq!(china("Tue, 19 Sep 2023 10:00:00 CST"), "2023-09-19T02:00:00Z");
        check("Tue, 19 Sep 2023 10:00:00 CST", "2023-09-19T16:00:00Z");
    }

    #[test]
    fn what_is_no_date_as_a_whole_is_none() {
        for text in [
            "",
            "soon",
            "é",
            "99",
            "10:00",
            "2023-13-01",
            "2023-02-30",
            "Mon, 32 Sep 2023 10:00:00 GMT",
            "Mon, 18 Sep 2023 25:00:00 GMT",
            "Mon, 18 Sep 2023 24:00:01 GMT",
            "Mon, 18 Sep 2023 10:61 GMT",
            "Mon, 18 Sep 2023 10:00 11:00",
            "18 Sep 2023 2024",
            "18 Sep Oct 2023",
            "18 marble 2023",
            "Sep 2023 10:00",
            "18 Sep 2023 pm",
            "2 days ago",
            "2023-09-18T",
            "2023-09-18T10:00:00+99:00",
            "Monday-ish, 18 Sep 2023",
            "18 Sep 2023 10:00 XYZ",
            "-",
            "+",
        ] {
            check(text, "none");
        }
    }

    #[test]
    fn a_date_without_a_zone_is_of_the_feeds_zone() {
        let time = parse("2023-09-18 10:00:00", Some(8 * 3600)).unwrap();
        assert_eq!(time.to_string(), "2023-09-18T02:00:00Z");
    }

    #[test]
    fn only_a_plausible_time_is_one_of_a_publication() {
        let now: Timestamp = "2023-09-18T10:00:00Z".parse().unwrap();
        assert!(is_plausible(now + jiff::SignedDuration::from_hours(20), now));
        assert!(!is_plausible(now + jiff::SignedDuration::from_hours(30), now));
        assert!(!is_plausible(Timestamp::UNIX_EPOCH, now));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(
            text in "([0-9]{1,4}|[-+:./, t()]|sep|mar|年|月|일|오후|gmt|pm|\\PC){0,12}",
        ) {
            let _ = parse(&text, None);
        }
    }
}
