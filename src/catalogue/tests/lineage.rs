//! Lineage: what an older schema did not have, and facts.

use sqlx::{ConnectOptions as _, Row as _};

use super::*;
use crate::model::{FileId, Presence};

/// A catalogue of before knows afterwards since when versions are known, and whose inputs are whose.
#[test]
fn an_older_schema_is_brought_up_to_date() {
    let (place, ids) = with_versions(3);
    let from = DataRef { dataset: dataset("corpus"), version: ids[0], path: None };
    let (id, mut record) = version("with a step", &[ids[2]]);
    record.provenance.steps = vec![
        Step { name: "first".into(), ..Step::default() },
        Step { name: "second".into(), inputs: vec![from], ..Step::default() },
    ];
    let mut changeset = changes(vec![Change::VersionAdded { version: id, dataset: None }]);
    changeset.versions.push((id, record));
    place.catalogue.apply(&changeset).unwrap();
    let before = place.catalogue.dump().unwrap();
    let origins = place.catalogue.version_origins().unwrap();
    let number = |id: &VersionId| origins.iter().find(|row| row.0 == *id).map(|row| row.2);
    assert_eq!([number(&ids[0]), number(&ids[2]), number(&id)], [Some(2), Some(4), Some(5)]);
    let directory = place.close();
    journal::shell(
        &directory,
        "DROP INDEX derivation_by_from; CREATE INDEX derivation_by_from ON derivation (from_version);
         ALTER TABLE version DROP COLUMN number; ALTER TABLE derivation DROP COLUMN step_ordinal;
         DROP TABLE fact; DELETE FROM _sqlx_migrations WHERE version IN (5, 9);
         PRAGMA user_version = 4",
    );
    let catalogue = Catalogue::open(&directory.path().join("catalogue.db")).unwrap();
    assert_eq!(catalogue.dump().unwrap(), before);
}

/// Going down through the table itself costs a page for every row, which is what a walk takes
/// longest for.
#[test]
fn what_was_made_from_versions_is_read_from_an_index_alone() {
    let (place, _) = with_versions(1);
    let directory = place.close();
    let path = directory.path().join("catalogue.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plan: Vec<String> = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        let text = format!("EXPLAIN QUERY PLAN {}", crate::catalogue::sql::lineage::DOWN);
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get("detail")).collect()
    });
    let uses: Vec<_> = plan.iter().filter(|step| step.contains("derivation_by_from")).collect();
    assert_eq!(uses.len(), 2, "the walk and the list: {plan:?}");
    assert!(uses.iter().all(|step| step.contains("COVERING INDEX")), "{uses:?}");
}

#[test]
fn facts_are_kept_until_they_are_taken_away() {
    let place = place();
    let files: Vec<FileId> = (0_u8..40).map(|seed| FileId::of(&[seed])).collect();
    let facts: Vec<_> = files.iter().map(|file| (*file, format!("of {file}"))).collect();
    place.catalogue.keep_facts("sha256", 1, &facts).unwrap();
    let journal = place.catalogue.verify_journal().unwrap().entries;
    assert_eq!(journal, 0, "a cache is not in the journal");
    let kept = place.catalogue.facts("sha256", 1, &files).unwrap();
    assert_eq!(kept.len(), 40);
    assert_eq!(kept[&files[33]], format!("of {}", files[33]));
    for (analyser, version) in [("sha256", 2), ("other", 1)] {
        assert!(place.catalogue.facts(analyser, version, &files).unwrap().is_empty());
    }
    place.catalogue.forget_facts(&files[..1]).unwrap();
    let kept = place.catalogue.facts("sha256", 1, &files).unwrap();
    assert_eq!((kept.len(), kept.contains_key(&files[0])), (39, false));
}

#[test]
fn of_what_was_erased_no_fact_is_kept() {
    let place = place();
    let files: Vec<FileId> = (0_u8..4).map(|seed| FileId::of(&[seed])).collect();
    let (size, certificate) = (1, "c".to_owned());
    let by = FileId::of(b"copy");
    let gone = [
        Presence::Erased { size, certificate: certificate.clone() },
        Presence::Replaced { size, by, by_size: 4, certificate },
        Presence::Archived { size, place: "there".into() },
    ];
    let gone = gone.into_iter().zip(&files).map(|(new, file)| Change::PresenceChanged {
        file: *file,
        old: None,
        new: Some(new),
    });
    place.catalogue.apply(&changes(gone.collect())).unwrap();
    let facts: Vec<_> = files.iter().map(|file| (*file, "late".to_owned())).collect();
    place.catalogue.keep_facts("sha256", 1, &facts).unwrap();
    let kept = place.catalogue.facts("sha256", 1, &files).unwrap();
    assert!(kept.len() == 2 && kept.contains_key(&files[2]) && kept.contains_key(&files[3]));
}
