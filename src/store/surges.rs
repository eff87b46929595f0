//! Surges: whether rules have far more news than their last weeks let expect, hour by hour.

use std::collections::HashMap;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use super::evidence::{self, IS_NEWS};
use super::write::{self, millis};
use crate::alert::story::{self, SurgeInfo};
use crate::config::Config;
use crate::pipeline::{self, OutgoingAlert};
use crate::story::surge::{self, BASELINE, Day, GUARD, Surge, SurgeState};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Days that are looked back on, today not among them.
const DAYS: usize = BASELINE + GUARD;
/// Days of health that are kept.
const HEALTH_KEPT: i64 = 60;
/// How little health explains at most: with a tenth of the feeds, a tenth is to be expected.
const LEAST_HEALTH: f64 = 0.1;

/// Different texts that each rule hit, by whole days before some time: those of the last 24 hours
/// first.
pub(super) type Counts = HashMap<String, [u32; DAYS + 1]>;

/// Looks at every rule and tells of those whose surge begins; says of which. `health` is how
/// many feeds can be read now.
pub(super) fn look(
    connection: &Connection,
    config: &Config,
    counts: &Counts,
    health: f64,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    note_health(connection, health, now)?;
    let health = relative_health(connection, now)?;
    let mut told = Vec::new();
    for rule in config.rules.rules() {
        let row: Option<(i64, String)> = connection
            .prepare_cached(
                "SELECT added, coalesce(surge, '{}') FROM rules LEFT JOIN watches ON rule = id
                 WHERE id = ?1",
            )?
            .query_row([&*rule.id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((since, text)) = row else { continue };
        let days = (millis(now) - since).div_euclid(DAY.as_millis() as i64);
        let known = usize::try_from(days).unwrap_or(0).saturating_sub(1).min(DAYS);
        let nothing = [0; DAYS + 1];
        let counts = counts.get(&*rule.id).unwrap_or(&nothing);
        let day = |ago: usize| Day { lineages: counts[ago], weekend: is_weekend(now, ago) };
        let past: Vec<Day> = (1..=known).rev().map(day).collect();
        let before: SurgeState = serde_json::from_str(&text).unwrap_or_default();
        let found = surge::surge(&past, day(0), health);
        let after = before.step(found, counts[0], &rule.telling.surge, now);
        if after != before {
            let text = serde_json::to_string(&after).expect("a state is JSON");
            connection
                .prepare_cached(
                    "INSERT INTO watches (rule, surge) VALUES (?1, ?2)
                     ON CONFLICT (rule) DO UPDATE SET surge = excluded.surge",
                )?
                .execute(params![&*rule.id, text])?;
        }
        if let (None, Some(since), Surge::Known { p, expected }) =
            (before.since, after.since, found)
        {
            let info = SurgeInfo { lineages: counts[0], expected, p, since };
            told.extend(tell(connection, config, &rule.id, info, now)?);
        }
    }
    Ok(told)
}

fn tell(
    connection: &Connection,
    config: &Config,
    rule: &str,
    surge: SurgeInfo,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    // A rule with a surge has hits; its feeds may all be gone from the configuration.
    let Some(hit) = evidence::newest(connection, config, rule, now)? else { return Ok(None) };
    let outlet = hit.outlet.as_deref().unwrap_or_default();
    let record = story::surge(hit.record, surge, outlet, now);
    let severity = hit.severity;
    let deliveries = pipeline::rule_deliveries(config, &record, severity, false, now);
    write::alert(connection, &OutgoingAlert { record, severity, deliveries }, now)?;
    Ok(Some(rule.to_owned()))
}

/// Counts what was stored by `now`. That reads every hit of a month: it is none of the writer's work.
pub(super) fn counts(connection: &Connection, now: Timestamp) -> Result<Counts, StoreError> {
    let day = DAY.as_millis() as i64;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT rule, (?1 - matched_at) / ?2 AS ago, count(*) FROM hits
         WHERE matched_at > ?1 - ?2 * ?3 AND matched_at <= ?1
           AND {IS_NEWS}
         GROUP BY rule, ago",
    ))?;
    let mut rows = statement.query(params![millis(now), day, DAYS as i64 + 1])?;
    let mut counts = Counts::new();
    while let Some(row) = rows.next()? {
        let ago = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX);
        let days = counts.entry(row.get(0)?).or_insert([0; DAYS + 1]);
        if let Some(count) = days.get_mut(ago) {
            *count = row.get(2)?;
        }
    }
    Ok(counts)
}

/// Whether the middle of that day is on a Saturday or a Sunday, in UTC.
fn is_weekend(now: Timestamp, ago: usize) -> bool {
    let hours = 24 * i64::try_from(ago).unwrap_or(0) + 12;
    let middle = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
    let weekday = TimeZone::UTC.to_datetime(middle).weekday();
    matches!(weekday, Weekday::Saturday | Weekday::Sunday)
}

fn day_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(24 * 3600)
}

fn note_health(connection: &Connection, health: f64, now: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO health (day, readable, looks) VALUES (?1, ?2, 1)
             ON CONFLICT (day) DO UPDATE SET
               readable = (readable * looks + excluded.readable) / (looks + 1), looks = looks + 1",
        )?
        .execute(params![day_of(now), health])?;
    connection
        .prepare_cached("DELETE FROM health WHERE day < ?1")?
        .execute([day_of(now) - HEALTH_KEPT])?;
    Ok(())
}

/// How many feeds can be read today, beside the days of the baseline.
fn relative_health(connection: &Connection, now: Timestamp) -> Result<f64, StoreError> {
    let readable = |from: i64, to: i64| -> Result<Option<f64>, StoreError> {
        Ok(connection
            .prepare_cached("SELECT avg(readable) FROM health WHERE day BETWEEN ?1 AND ?2")?
            .query_row([from, to], |row| row.get(0))?)
    };
    let today = day_of(now);
    let guard = i64::try_from(GUARD).unwrap_or(0);
    let (now, before) =
        (readable(today, today)?, readable(today - DAYS as i64, today - guard - 1)?);
    Ok(match (now, before) {
        (Some(now), Some(before)) if before > 0.0 => {
            (now / before).clamp(LEAST_HEALTH, 1.0 / LEAST_HEALTH)
        }
        _ => 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{schema, stories};
    use crate::story::Desk;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_hours(hours)
    }

    #[test]
    fn copies_and_what_is_no_news_are_not_counted() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let mut insert = connection
            .prepare(
                "INSERT INTO hits (id, rule, rule_version, severity, feed, item_key, title, revision,
                   matched_at, spans, reason, joined)
                 VALUES (?1, 'a', '', 'low', 'f', CAST(?1 AS BLOB), '', 1, ?2, '[]', ?3, ?4)",
            )
            .unwrap();
        for (number, (hours, reason, how)) in [
            (-1, "told-quiet", Some("opened")),
            (-23, "joined", Some("alike")),
            (-2, "copy", Some("copy")),
            (-2, "baseline", Some("opened")),
            (-25, "first-hit", None),
            (-800, "joined", Some("alike")),
        ]
        .into_iter()
        .enumerate()
        {
            let how = how.map(|how| format!("{{\"how\":\"{how}\"}}"));
            insert.execute(params![number.to_string(), millis(at(hours)), reason, how]).unwrap();
        }
        let counts = counts(&connection, at(0)).unwrap();
        assert_eq!(counts["a"][..3], [2, 1, 0]);
        assert_eq!(counts["a"].iter().sum::<u32>(), 3);
    }

    #[test]
    fn a_surge_quotes_the_newest_text_that_counts() {
        let config = stories::tests::config();
        let connection = stories::tests::database(&config);
        for (outlet, title) in ["Delta treaty signed", "Delta ferry delays"].iter().enumerate() {
            let batch = stories::tests::poll(&config, outlet, title, at(outlet as i64));
            write::batch(
                &connection,
                &mut Desk::default(),
                &mut write::Feeds::new(),
                &batch,
                &config,
            )
            .unwrap();
        }
        let quoted = || {
            let hit = evidence::newest(&connection, &config, "delta", at(2)).unwrap().unwrap();
            hit.title_now.unwrap()
        };
        assert_eq!(quoted(), "Delta ferry delays");
        connection.execute("UPDATE hits SET reason = 'late' WHERE feed = 'bee'", []).unwrap();
        assert_eq!(quoted(), "Delta treaty signed");
    }

    #[test]
    fn health_is_compared_with_that_of_the_weeks_before() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        assert_eq!(relative_health(&connection, at(0)).unwrap(), 1.0);
        for day in 3..20 {
            note_health(&connection, 80.0, at(-24 * day)).unwrap();
        }
        for health in [20.0, 60.0] {
            note_health(&connection, health, at(0)).unwrap();
        }
        assert!((relative_health(&connection, at(0)).unwrap() - 0.5).abs() < 1e-9);
        // Many feeds are added.
        note_health(&connection, 400.0, at(0)).unwrap();
        assert!((relative_health(&connection, at(0)).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_day_is_of_the_weekend_when_most_of_it_is() {
        // A Tuesday, 22:13 UTC.
        assert!(!is_weekend(at(0), 0));
        assert!(is_weekend(at(0), 2) && is_weekend(at(0), 3));
        assert!(!is_weekend(at(0), 1) && !is_weekend(at(0), 4));
    }
}
