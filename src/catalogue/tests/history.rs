//! Walks against a naive walk over a random graph.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Applies a graph: for every version the indices of its parents among those before it.
fn graph(links: &[Vec<usize>]) -> (Place, Vec<VersionId>) {
    let place = place();
    let mut changeset = changes(vec![]);
    let mut ids: Vec<VersionId> = Vec::new();
    for (at, parents) in links.iter().enumerate() {
        let parents: Vec<VersionId> = parents.iter().map(|&parent| ids[parent]).collect();
        let (id, record) = version(&format!("version {at}"), &parents);
        changeset.changes.push(Change::VersionAdded { version: id, dataset: None });
        changeset.versions.push((id, record));
        ids.push(id);
    }
    place.catalogue.apply(&changeset).unwrap();
    (place, ids)
}

fn ancestors(links: &[Vec<usize>], of: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::from([of]);
    for at in (0..=of).rev() {
        if found.contains(&at) {
            found.extend(&links[at]);
        }
    }
    found
}

fn naive_bases(links: &[Vec<usize>], left: usize, right: usize) -> BTreeSet<usize> {
    let common: BTreeSet<usize> =
        ancestors(links, left).intersection(&ancestors(links, right)).copied().collect();
    let below = |at: &usize| {
        common.iter().any(|other| other != at && ancestors(links, *other).contains(at))
    };
    common.iter().filter(|at| !below(at)).copied().collect()
}

fn links() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..40)
        .prop_map(|raw| {
            raw.iter()
                .enumerate()
                .map(|(at, parents)| {
                    let mut parents: Vec<usize> = match at {
                        0 => vec![],
                        _ => parents.iter().map(|index| index.index(at.min(9))).collect(),
                    };
                    for parent in &mut parents {
                        *parent = at - 1 - *parent;
                    }
                    parents.sort_unstable();
                    parents.dedup();
                    parents
                })
                .collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn walks_agree_with_a_naive_walk(links in links(), picks in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 6)) {
        let (place, ids) = graph(&links);
        let order: HashMap<VersionId, usize> =
            ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        for (left, right) in picks {
            let (left, right) = (left.index(ids.len()), right.index(ids.len()));
            let catalogue = &place.catalogue;
            let bases = catalogue.merge_bases(&ids[left], &ids[right]).unwrap();
            let bases: BTreeSet<usize> = bases.iter().map(|id| order[id]).collect();
            prop_assert_eq!(bases, naive_bases(&links, left, right));
            let is_ancestor = catalogue.is_ancestor(&ids[left], &ids[right]).unwrap();
            prop_assert_eq!(is_ancestor, ancestors(&links, right).contains(&left));
            let log: Vec<usize> = catalogue
                .history(&[ids[left], ids[right]]).unwrap()
                .map(|row| order[&row.unwrap().id])
                .collect();
            let at_once = catalogue.history_ids(&[ids[left], ids[right]]).unwrap();
            let at_once: Vec<usize> = at_once.iter().map(|id| order[id]).collect();
            prop_assert_eq!(&at_once, &log);
            let mut wanted = ancestors(&links, left);
            wanted.extend(ancestors(&links, right));
            prop_assert_eq!(log.len(), wanted.len());
            prop_assert_eq!(log.iter().copied().collect::<BTreeSet<_>>(), wanted);
            let place_of: HashMap<usize, usize> =
                log.iter().enumerate().map(|(place, at)| (*at, place)).collect();
            for at in &log {
                for parent in &links[*at] {
                    prop_assert!(place_of[parent] > place_of[at], "a child comes first");
                }
            }
        }
    }
}

#[test]
fn what_is_not_known_is_named() {
    let (place, ids) = with_versions(1);
    let unknown = VersionId::of(b"unknown");
    for error in [
        place.catalogue.history(&[unknown]).err().unwrap(),
        place.catalogue.merge_bases(&ids[0], &unknown).unwrap_err(),
        place.catalogue.is_ancestor(&unknown, &ids[0]).unwrap_err(),
        place.catalogue.is_ancestor(&ids[0], &unknown).unwrap_err(),
    ] {
        assert!(error.to_string().contains(&unknown.to_hex()), "{error}");
    }
    assert_eq!(place.catalogue.history(&[]).unwrap().count(), 0);
}
