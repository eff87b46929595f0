//! Databases that earlier versions wrote are opened by this one with all they hold. One dump for
//! each format is kept in tests/data; it is written when the format changes and never edited.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use newswatch::item::FeedName;
use newswatch::store::{AlertFilter, ItemFilter, Reader, Store, VERSION};

#[track_caller]
fn check(dump: &str, stories: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newswatch.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(dump).unwrap();
    drop(old);
    drop(Store::open(&path).unwrap());
    let reader = Reader::open(&path).unwrap();
    let mut counts = [0; 4];
    let [items, hits, alerts, deliveries] = &mut counts;
    let all = ItemFilter::default();
    reader
        .items(&all, |_| {
            *items += 1;
            Ok(())
        })
        .unwrap();
    reader
        .hits(&all, |_| {
            *hits += 1;
            Ok(())
        })
        .unwrap();
    reader
        .alerts(&AlertFilter::default(), |_| {
            *alerts += 1;
            Ok(())
        })
        .unwrap();
    reader
        .deliveries(false, &all, |_| {
            *deliveries += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(counts, [3, 2, 2, 2]);
    let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    let mut ids = Vec::new();
    reader
        .stories(&all, now, |story| {
            ids.push(story.id);
            Ok(())
        })
        .unwrap();
    assert_eq!(ids.len(), stories);
    for id in ids {
        let history = reader.story_history(&id, now).unwrap().unwrap();
        assert_eq!((history.reports.len(), history.edits.len()), (2, 1));
        assert_eq!(history.story.origins[0].origin.id, "example".into());
        assert!(history.story.told.is_some() && history.reports[0].alert.is_some());
    }
}

#[test]
fn every_older_format_is_still_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for version in 1..=VERSION {
        let dump = std::fs::read_to_string(folder.join(format!("store-v{version}.sql")));
        let dump = dump.unwrap_or_else(|error| panic!("no witness of format {version}: {error}"));
        check(&dump, usize::from(version >= 13));
    }
}

#[test]
fn when_feeds_are_due_and_how_they_were_polled_outlives_their_own_rows() {
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v19.sql");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newswatch.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    drop(old);
    drop(Store::open(&path).unwrap());
    let reader = Reader::open(&path).unwrap();
    let state = &reader.feed_states().unwrap()[&FeedName::new("example")];
    let time = |millis| Timestamp::from_millisecond(millis).unwrap();
    assert_eq!(state.last_request, Some(time(1_795_538_540_158)));
    assert_eq!(state.last_ok, Some(time(1_795_538_540_161)));
    assert_eq!(state.next_due, time(1_795_539_453_388));
    assert_eq!(state.interval, Some(Duration::from_secs(900)));
    let polls = reader.polls("example").unwrap().unwrap();
    assert_eq!(polls.iter().map(|poll| poll.items).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("newswatch.db");
    let later = rusqlite::Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(later);
    let error = Store::open(&path).unwrap_err();
    assert!(error.to_string().contains("use a newer newswatch"), "{error}");
}
