//! Databases that earlier versions wrote are opened by this one with all they hold. One dump for
//! each format is kept in tests/data; it is written when the format changes and never edited.

use std::path::Path;

use newswatch::store::{AlertFilter, ItemFilter, Reader, Store, VERSION};

#[track_caller]
fn check(dump: &str) {
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
}

#[test]
fn every_older_format_is_still_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for version in 1..=VERSION {
        let dump = std::fs::read_to_string(folder.join(format!("store-v{version}.sql")));
        check(&dump.unwrap_or_else(|error| panic!("no witness of format {version}: {error}")));
    }
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
