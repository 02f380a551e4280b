//! What the lineage graph says of versions that lack files. Random histories are in
//! `tests/canaries.rs`.

use super::place::{Place, with_history};

/// What the lineage graph says of a version: its presence, and how many of its files are gone.
fn said_of(place: &Place, version: &str, more: &str) -> (String, Option<u64>) {
    let id = place.must(&format!("stem show {version} --json"));
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    let json = place.must(&format!("stem lineage {version} {more} --json"));
    let graph: serde_json::Value = serde_json::from_str(&json).unwrap();
    let nodes = graph["data"]["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["id"] == id["data"]["version"]).unwrap();
    (node["presence"].as_str().unwrap().to_owned(), node["absent_files"].as_u64())
}

#[test]
fn the_lineage_graph_says_which_versions_lack_files() {
    let place = with_history();
    let later = "export SOURCE_DATE_EPOCH=1767333045";
    let erase = |arguments: &str| {
        let json = place.must(&format!("{later}; stem erase plan {arguments} --reason x --json"));
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
        place.must(&format!("{later}; stem erase run {}", plan["data"]["plan"].as_str().unwrap()));
    };
    assert_eq!(said_of(&place, "v1", ""), ("present".into(), None));
    erase("--path secret.txt");
    for (version, expected) in [("v1", Some(1)), ("HEAD~1", Some(1)), ("HEAD", None)] {
        let word = if expected.is_some() { "partly erased" } else { "present" };
        assert_eq!(said_of(&place, version, ""), (word.into(), expected), "{version}");
    }
    let before = said_of(&place, "v1", "--as-of 2026-01-02T04:00:00Z");
    assert_eq!(before, ("present".into(), None));
    let text = place.must("stem lineage v1");
    assert!(text.contains("[partly erased: 1 file]"), "{text}");
    let events = place.must("stem lineage v1 --format openlineage");
    assert!(!events.contains("DROP"), "a part of it is there: {events}");
    erase("--path keep.txt");
    erase("--path small.txt --yes-all data");
    assert_eq!(said_of(&place, "v1", ""), ("erased".into(), Some(3)));
    assert_eq!(said_of(&place, "HEAD", ""), ("erased".into(), Some(2)));
    let events = place.must("stem lineage v1 --format openlineage");
    assert!(events.contains("DROP"), "nothing of it is there: {events}");
}
