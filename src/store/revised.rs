//! Items that were edited: those that a rule which hit them matches no more, and those whose rule asks
//! for every edit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::stories::{json_text, write_story};
use super::write::{self, millis};
use super::{StoreError, evidence, story_edits};
use crate::alert::decide::Reason;
use crate::alert::record::AlertRecord;
use crate::alert::revision::{self, Edit, MOST_IN_A_DAY, MOST_TURNS_IN_A_DAY, Matches};
use crate::config::Config;
use crate::hit::Severity;
use crate::item::{Item, ItemKey};
use crate::pipeline::{self, Batch, MOST_TEXTS, OutgoingAlert, Rematch, Revised};
use crate::story::Desk;
use crate::story::desk::Story;
use crate::story::edit::Member;
use crate::story::message::headline;

/// How long what was told of an item's edits keeps others back, once it has had very many texts.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// What items said before their publisher edited them.
pub(super) type Before = HashMap<ItemKey, Item>;

/// What the items of a batch's revised hits say that is stored before the batch is; nothing of those
/// whose edit somebody else has stored since the poll looked them up.
pub(super) fn before(connection: &Connection, batch: &Batch) -> Result<Before, StoreError> {
    let mut before = Before::new();
    for Revised { item: key, revision, .. } in &batch.revised {
        let item = connection
            .prepare_cached(
                "SELECT title, summary, content, link FROM items
                 WHERE feed = (SELECT id FROM feeds WHERE name = ?1) AND key = ?2
                   AND revision = ?3 - 1",
            )?
            .query_row(params![batch.feed.as_str(), key.as_bytes(), revision], |row| {
                let mut item = Item::titled(*key, row.get::<_, String>(0)?);
                (item.summary, item.content) = (row.get(1)?, row.get(2)?);
                item.link = row.get(3)?;
                Ok(item)
            })
            .optional()?;
        before.extend(item.map(|item| (*key, item)));
    }
    Ok(before)
}

/// Writes down which hits of a batch's items stand no more, which stand again, and tells of edits;
/// says of which rules.
pub(super) fn take(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    before: &Before,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    if batch.revised.is_empty() {
        return Ok(Vec::new());
    }
    let lately = ToldLately::of(connection, batch, config)?;
    let mut told = take_back(connection, desk, batch, before, &lately, config)?;
    let items = batch.items.iter().map(|stored| (stored.item.key, &stored.item));
    let items: HashMap<ItemKey, &Item> = items.collect();
    for revised in &batch.revised {
        let Some(now) = &revised.now else { continue };
        let (Some(before), Some(item)) = (before.get(&revised.item), items.get(&revised.item))
        else {
            continue;
        };
        if tell_edit(connection, desk, batch, &lately, config, (revised, now), (before, item))? {
            told.push(revised.rule.clone());
        }
    }
    Ok(told)
}

/// Whether a rule asks for every edit of what it has hit.
fn tells_edits(config: &Config, rule: &str) -> bool {
    config.rules.rules().iter().any(|known| *known.id == *rule && known.telling.on_update)
}

/// Takes hits that stand no more out of what their stories count, and tells those that were told, the
/// last of a story that was told, and all of rules that ask for every edit, but for what the baseline
/// of the feed holds; says of which rules.
fn take_back(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    before: &Before,
    lately: &ToldLately<'_>,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let mut gone = Vec::new();
    // Each story is made anew once, however many of its reports go.
    let mut stories: BTreeMap<(&str, String), Vec<i64>> = BTreeMap::new();
    for revised in batch.revised.iter().filter(|revised| revised.now.is_none()) {
        let item = (batch.feed.as_str(), revised.item);
        let Some(hit) = evidence::of_hit(connection, config, &revised.rule, item, batch.at)? else {
            continue;
        };
        let marked = connection
            .prepare_cached(
                "UPDATE hits SET revised_at = ?2 WHERE seq = ?1 AND revised_at IS NULL",
            )?
            .execute(params![hit.seq, millis(batch.at)])?;
        if marked == 0 {
            continue;
        }
        if let Some(story) = &hit.story {
            stories.entry((&revised.rule, story.clone())).or_default().push(hit.seq);
        }
        gone.push((revised, hit));
    }
    // Stories that were told and have no report any more that stands.
    let mut ended = BTreeSet::new();
    for ((rule, story), hits) in stories {
        if withdraw(connection, config, rule, &story, &hits, batch.at)? {
            ended.insert(story);
        }
        desk.forget(rule);
    }
    // Of those of which a report that was told goes now, that one says so.
    for (_, hit) in gone.iter().filter(|(_, hit)| hit.alert.is_some()) {
        if let Some(story) = &hit.story {
            ended.remove(story);
        }
    }
    let held = batch.items.iter().filter(|stored| stored.baseline).map(|stored| stored.item.key);
    let held: BTreeSet<ItemKey> = held.collect();
    let mut told = Vec::new();
    for (Revised { rule, item, revision, .. }, hit) in gone {
        // Whoever was not told of the hit need not hear that it stands no more, unless it was the
        // last that spoke for what they were told, or they want to hear of every edit.
        let last = hit.story.as_ref().is_some_and(|story| ended.remove(story));
        let every = tells_edits(config, rule) && !held.contains(item);
        if hit.alert.is_none() && !last && !every {
            continue;
        }
        let before = before.get(item).filter(|_| every);
        let outlet = outlet(hit.outlet, &hit.record);
        let edit = Edit {
            matches: Matches::NoMore,
            revision: *revision,
            title: hit.title_now.as_deref().unwrap_or_default(),
            was: before.and_then(revision::headline_kept),
            text: None,
            outlet: &outlet,
            story: hit.story.as_deref(),
        };
        if !lately.lets(rule, &hit.record.causationid, &edit) {
            continue;
        }
        let mut record = revision::revised(hit.record, &edit, batch.at);
        if last {
            record.data.message += "; no report of its story stands any more";
        }
        if every {
            say_if_not_all_follow(&mut record, *revision);
        }
        tell(connection, config, record, hit.severity, batch.at)?;
        told.push(rule.clone());
    }
    Ok(told)
}

/// Tells of an edit after which a rule matches, unless it is no news; says whether it was told. A hit
/// that stood no more stands again.
fn tell_edit(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    lately: &ToldLately<'_>,
    config: &Config,
    (revised, rematch): (&Revised, &Rematch),
    (before, now): (&Item, &Item),
) -> Result<bool, StoreError> {
    type Row = (i64, Option<String>, Option<String>, bool);
    let rule = revised.rule.as_str();
    let hit: Option<Row> = connection
        .prepare_cached(
            "SELECT seq, story, outlet, revised_at IS NOT NULL FROM hits
             WHERE feed = ?1 AND item_key = ?2 AND rule = ?3",
        )?
        .query_row(params![batch.feed.as_str(), revised.item.as_bytes(), rule], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((hit, story, outlet, taken_back)) = hit else { return Ok(false) };
    let matches = if taken_back { Matches::Again } else { Matches::Still };
    if taken_back {
        // Whoever does not hear of it now must with a later edit.
        if !tells_edits(config, rule) && !lately.lets_turn(rule, &rematch.draft.causationid) {
            return Ok(false);
        }
        stands_again(connection, hit)?;
        if let Some(story) = &story {
            make_anew(connection, config, rule, story)?;
            desk.forget(rule);
        }
    } else if revision::is_no_news(before, now) {
        return Ok(false);
    }
    let Rematch { severity, draft } = rematch;
    let (outlet, text) = (self::outlet(outlet, draft), revision::new_text(before, now));
    let edit = Edit {
        matches,
        revision: revised.revision,
        title: headline(now),
        was: revision::headline_kept(before),
        text: text.as_deref(),
        outlet: &outlet,
        story: story.as_deref(),
    };
    if !lately.lets(rule, &draft.causationid, &edit) {
        return Ok(false);
    }
    let mut record = revision::revised(draft.clone(), &edit, batch.at);
    say_if_not_all_follow(&mut record, revised.revision);
    tell(connection, config, record, *severity, batch.at)?;
    Ok(true)
}

/// Who published the item of a hit; of one that belongs to no story whom its record names.
fn outlet(outlet: Option<String>, record: &AlertRecord) -> String {
    let named = || {
        let item = record.data.item.as_ref()?;
        let owner = item.feed.owner.as_ref().or(item.source.as_ref());
        Some(owner.unwrap_or(&item.feed.name).clone())
    };
    outlet.or_else(named).unwrap_or_default()
}

/// What was told of edits in the last day, newest first, by rule and item.
struct ToldLately<'a> {
    config: &'a Config,
    told: HashMap<(String, String), Vec<Matches>>,
}

impl<'a> ToldLately<'a> {
    /// Of the edits of the items of a batch's feed.
    fn of(connection: &Connection, batch: &Batch, config: &'a Config) -> Result<Self, StoreError> {
        let mut told = HashMap::<_, Vec<_>>::new();
        let since = batch.at.checked_sub(LATELY).unwrap_or(batch.at);
        // Before some said otherwise, each said that a rule matches no more.
        let mut statement = connection.prepare_cached(
            "SELECT rule, record ->> '$.causationid',
               coalesce(record ->> '$.data.revised.matches', '')
             FROM alerts INDEXED BY alerts_by_time
             WHERE created > ?1 AND created <= ?2 AND feed = ?3 AND rule IS NOT NULL
               AND record ->> '$.data.revised.title' IS NOT NULL
             ORDER BY created DESC, seq DESC",
        )?;
        let mut rows =
            statement.query(params![millis(since), millis(batch.at), batch.feed.as_str()])?;
        while let Some(row) = rows.next()? {
            let matches: String = row.get(2)?;
            let matches = serde_json::from_value(matches.into()).unwrap_or_default();
            told.entry((row.get(0)?, row.get(1)?)).or_default().push(matches);
        }
        Ok(Self { config, told })
    }

    /// Whether it may be told that a rule which does not ask for every edit matches an item again.
    fn lets_turn(&self, rule: &str, item: &str) -> bool {
        self.of_item(rule, item).len() < MOST_TURNS_IN_A_DAY
    }

    fn of_item(&self, rule: &str, item: &str) -> &[Matches] {
        let lately = self.told.get(&(rule.to_owned(), item.to_owned()));
        lately.map_or(&[][..], Vec::as_slice)
    }

    /// Whether an edit of an item is told, however often the item was edited before.
    fn lets(&self, rule: &str, item: &str, edit: &Edit<'_>) -> bool {
        let most = match tells_edits(self.config, rule) {
            true if edit.revision <= MOST_TEXTS => return true,
            true => MOST_IN_A_DAY,
            false => MOST_TURNS_IN_A_DAY,
        };
        revision::is_told(edit, self.of_item(rule, item), most)
    }
}

/// Whoever hears of every edit of an item is told when no longer each of them will be told.
fn say_if_not_all_follow(record: &mut AlertRecord, revision: u32) {
    if revision >= MOST_TEXTS {
        record.data.message += "; edited so often that not every later edit is told";
    }
}

/// Raises an alert.
fn tell(
    connection: &Connection,
    config: &Config,
    record: AlertRecord,
    severity: Severity,
    now: Timestamp,
) -> Result<(), StoreError> {
    let deliveries = pipeline::rule_deliveries(config, &record, severity, false, now);
    write::alert(connection, &OutgoingAlert { record, severity, deliveries }, now)?;
    Ok(())
}

/// Writes down that a hit stands again. It waits no more for what it waited for: that it matches again
/// is told as an edit.
fn stands_again(connection: &Connection, hit: i64) -> Result<(), StoreError> {
    let (withdrawn, restored) = (Reason::Withdrawn.as_str(), Reason::Restored.as_str());
    connection
        .prepare_cached(
            "UPDATE hits SET revised_at = NULL, reason = CASE reason WHEN ?2 THEN ?3 ELSE reason END
             WHERE seq = ?1",
        )?
        .execute(params![hit, withdrawn, restored])?;
    Ok(())
}

/// Makes a story what it is without reports that stand no more, given by their hits. When one of them
/// would have been told, the next one that stands takes its place. Says whether the story was told
/// and has none left.
fn withdraw(
    connection: &Connection,
    config: &Config,
    rule: &str,
    story: &str,
    gone: &[i64],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(before) = load(connection, config, story)? else { return Ok(false) };
    let held =
        before.reports.iter().filter(|(seq, _)| gone.contains(seq)).find_map(|(seq, member)| {
            before.story.held_with(&member.report.item).map(|bulletin| (*seq, bulletin))
        });
    if let Some((hit, bulletin)) = held {
        let reason = if bulletin { Reason::Held } else { Reason::LeftOut };
        set_fate(connection, hit, Reason::Withdrawn, None)?;
        let standing = || before.reports.iter().filter(|(_, member)| !member.withdrawn);
        let comments = |member: &Member| member.report.reading.commentary;
        let next = standing().filter(|(_, member)| !comments(member));
        for (seq, member) in next.chain(standing().filter(|(_, member)| comments(member))) {
            let Some((feed, key)) = member.report.item.rsplit_once('/') else { continue };
            let Some(key) = ItemKey::from_hex(key) else { continue };
            if let Some(next) = evidence::of_hit(connection, config, rule, (feed, key), now)? {
                set_fate(connection, *seq, reason, Some(&json_text(&next.record)))?;
                break;
            }
        }
    }
    let without = make_anew(connection, config, rule, story)?;
    let ended = without.is_some_and(|without| without.items == 0);
    Ok(ended && before.story.told_at().is_some())
}

/// Makes a story what it is of those of its reports that stand, unless they are no longer kept.
fn make_anew(
    connection: &Connection,
    config: &Config,
    rule: &str,
    story: &str,
) -> Result<Option<Story>, StoreError> {
    let Some(kept) = load(connection, config, story)? else { return Ok(None) };
    let mut anew = story_edits::made_of(story, &kept.reports);
    (anew.thread, anew.previous) = (kept.story.thread, kept.story.previous);
    write_story(connection, rule, &anew)?;
    Ok(Some(anew))
}

/// A story with its reports, unless they are no longer kept or cannot be read.
fn load(
    connection: &Connection,
    config: &Config,
    story: &str,
) -> Result<Option<story_edits::Kept>, StoreError> {
    match story_edits::load(connection, config.rules.rules(), story) {
        Ok(kept) => Ok(kept.ok()),
        Err(StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down what became of a hit, and the record that is to tell of it.
fn set_fate(
    connection: &Connection,
    hit: i64,
    reason: Reason,
    draft: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE hits SET reason = ?2 WHERE seq = ?1")?
        .execute(params![hit, reason.as_str()])?;
    connection
        .prepare_cached("UPDATE reports SET draft = ?2 WHERE hit = ?1")?
        .execute(params![hit, draft])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Arrival, Ingested, KnownHit, KnownItem};
    use crate::schedule::{Baseline, FeedState};
    use crate::store::stories::tests::{config_with, database};

    /// The poll that brings an item with this headline, of which that is known.
    fn poll(config: &Config, title: &str, known: Option<KnownItem>, second: i64) -> Batch {
        let (feed, now) = (&config.feeds[0], Timestamp::from_second(second).unwrap());
        let item = Item::titled(ItemKey::of("guid", &["1"]), title);
        let known = known.into_iter().map(|known| (item.key, known)).collect();
        let arrival =
            Arrival { feed, feed_title: None, baseline: Baseline::Nothing, outage: None, now };
        let mut matcher = config.rules.matcher();
        let earlier = || Ok::<_, ()>(Vec::new());
        let Ingested { items, hits, revised, .. } =
            pipeline::ingest(arrival, vec![item], &known, config, &mut matcher, earlier, |_| {
                Ok(None)
            })
            .unwrap();
        let state = FeedState::new(now, now);
        let nothing = Batch::of_state(feed.name.clone(), feed.url.clone(), state, None, now);
        Batch { items, hits, revised, ..nothing }
    }

    #[test]
    fn an_edit_that_two_processes_find_at_once_is_told_once() {
        let config = config_with("on_update = true\n");
        let connection = database(&config);
        let commit = |batch: &Batch| {
            write::batch(
                &connection,
                &mut Desk::default(),
                &mut write::Feeds::new(),
                batch,
                &config,
            )
            .unwrap()
            .len()
        };
        let first = poll(&config, "Delta treaty signed", None, 0);
        assert_eq!(commit(&first), 1);
        let hit = &first.hits[0];
        let (rule, version) = (hit.rule.clone(), hit.rule_version.clone());
        let hit = KnownHit { rule, version, revised: false, told: true };
        let known = |revision, of: &Batch| KnownItem {
            text: Some((of.items[0].fingerprint, revision)),
            hits: vec![hit.clone()],
        };
        let edits = [1, 2].map(|second| {
            poll(&config, "Delta treaty signed at last", Some(known(1, &first)), second)
        });
        assert_eq!(edits.each_ref().map(commit), [1, 0]);
        let next = poll(&config, "Delta treaty fails", Some(known(2, &edits[0])), 3);
        assert_eq!(commit(&next), 1);
    }

    #[test]
    fn an_item_that_is_edited_is_emptied_in_its_time_also_when_it_was_emptied_before() {
        let config = config_with("");
        let connection = database(&config);
        let commit = |batch: &Batch| {
            let (mut desk, mut feeds) = (Desk::default(), write::Feeds::new());
            write::batch(&connection, &mut desk, &mut feeds, batch, &config).unwrap();
        };
        let prune = |second| {
            let before = Timestamp::from_second(second).unwrap();
            write::prune(&connection, before, before).unwrap()
        };
        let stored = || {
            let sql = "SELECT title, pruned, (SELECT count(*) FROM revisions) FROM items";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            connection.query_row::<(String, bool, u32), _, _>(sql, [], row).unwrap()
        };
        let known = |revision, of: &Batch| {
            let text = Some((of.items[0].fingerprint, revision));
            Some(KnownItem { text, hits: Vec::new() })
        };
        let first = poll(&config, "Rain", None, 10);
        commit(&first);
        assert_eq!(prune(11), 1);
        assert_eq!(stored(), (String::new(), true, 0));
        let second = poll(&config, "Snow", known(1, &first), 20);
        commit(&second);
        assert_eq!(prune(20), 0);
        assert_eq!(stored(), ("Snow".to_owned(), false, 1));
        commit(&poll(&config, "Sun", known(2, &second), 30));
        assert_eq!(prune(21), 0);
        assert_eq!(stored(), ("Sun".to_owned(), false, 2));
        assert_eq!(prune(31), 1);
        assert_eq!(stored(), (String::new(), true, 0));
    }
}
