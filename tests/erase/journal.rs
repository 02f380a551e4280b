//! What the journal has of erased content on its own behalf: who acted, and what was said then.

use super::place::{Place, has};

const PERSON: &str = "Eve Marlow-Longname <eve.marlow@private.example.net>";

/// A table of people, of whom one acts but makes no version.
fn with_actor() -> Place {
    let place = Place::new();
    place.must(&format!(
        "stem init -q && stem key generate > /dev/null && \
         (seq 1 20; echo '{PERSON}'; echo 'the secret word of hers is xylophone-4711-quartz'; seq 21 40) \
         > AUTHORS && stem add -q AUTHORS && stem commit -q -m one"
    ));
    let script =
        "stem note add main 'looked at all of it' -q && stem hold place main --case 7 --reason r";
    let output = place.run_as(PERSON, script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    place.must("stem hold release $(stem hold list --json | grep -o '\"id\":\"[^\"]*\"' | cut -d'\"' -f4) --reason over");
    place
}

/// The entries that name somebody.
fn entries(place: &Place) -> Vec<u64> {
    let journal = std::fs::read_to_string(place.store().join("journal.jsonl")).unwrap();
    let numbers = (1..).zip(journal.lines());
    numbers.filter(|(_, line)| line.contains("eve.marlow")).map(|(number, _)| number).collect()
}

/// What the certificate says of the journal.
fn said(place: &Place, id: &str) -> String {
    let shown = place.must(&format!("stem certificate show {id} --json"));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let all = shown["data"]["predicate"]["not_proven"].as_array().unwrap();
    let mut texts = all.iter().filter_map(|text| text.as_str());
    texts.find(|text| text.contains("of the journal")).unwrap_or_default().to_owned()
}

#[test]
fn who_acted_and_made_no_version_can_be_erased_from_files() {
    let place = with_actor();
    let numbers = entries(&place);
    assert_eq!(numbers.len(), 2, "she has acted twice");
    let id = place.erase("--containing eve.marlow@private.example.net");
    let told = said(&place, &id);
    let named = format!("in entries {}-{} of the journal (", numbers[0], numbers[1]);
    assert!(told.contains(&named), "{told}");
    assert!(told.contains("which cannot change"), "{told}");
    let shown = place.must(&format!("stem certificate show {id}"));
    assert!(shown.contains(&told[..60]), "{shown}");
    place.must(&format!("stem erase verify {id}"));
    place.must(&format!("stem certificate verify {id} --store .stem/store"));
    place.must(&format!("stem erase run {id}"));
    let now = place.must("stem cat main:AUTHORS");
    assert!(!has(now.as_bytes(), b"eve.marlow") && has(now.as_bytes(), b"xylophone"), "{now}");
    // She goes on: nothing of hers is there that was not told.
    let output = place.run_as(PERSON, "stem note add main 'one more' -q");
    assert!(output.status.success());
    place.must(&format!("stem erase verify {id}"));
}

/// What the erasure itself has written down is told like all else.
#[test]
fn a_reason_that_repeats_what_goes_is_named_by_the_certificate() {
    let place = with_actor();
    let json = place.must(
        "stem erase plan --containing xylophone-4711 --json \
         --reason 'the secret word of hers is xylophone-4711-quartz'",
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let id = json["data"]["plan"].as_str().unwrap().to_owned();
    place.must(&format!("stem erase run {id}"));
    let told = said(&place, &id);
    assert!(told.contains("(erase-made)"), "{told}");
    place.must(&format!("stem erase verify {id}"));
}

/// What no entry of the certificate's journal says is a finding as ever.
#[test]
fn what_leaks_later_is_found() {
    let leaks = [
        ("a note", "stem note add main 'the secret word of hers is xylophone-4711-quartz'"),
        (
            "a line",
            "echo 'the secret word of hers is xylophone-4711-quartz' >> .stem/store/journal.jsonl",
        ),
        (
            "a rest",
            "echo '{\"number\":1,\"detail\":\"the secret word of hers is xylophone-4711-quartz\"}' > .stem/store/journal.jsonl.old",
        ),
        (
            "a paper",
            "echo 'the secret word of hers is xylophone-4711-quartz' > .stem/store/plans/notes",
        ),
    ];
    for (what, script) in leaks {
        let place = with_actor();
        let id = place.erase("--containing xylophone-4711");
        assert_eq!(said(&place, &id), "", "{what}");
        place.must(&format!("stem erase verify {id}"));
        place.must(script);
        place.ends(20, &format!("stem erase verify {id}"));
        place.ends(20, &format!("stem erase run {id}"));
    }
}

/// A certificate that keeps quiet about an entry is refused once the store is looked at.
#[test]
fn an_entry_that_a_certificate_does_not_name_is_found() {
    let place = with_actor();
    let id = place.erase("--containing eve.marlow@private.example.net");
    let (first, last) = (entries(&place)[0], entries(&place)[1]);
    let quiet = format!(
        "python3 - <<'E'\nimport base64, json\npath = '.stem/store/certificates/{id}.json'\n\
         envelope = json.load(open(path))\nstatement = json.loads(base64.b64decode(envelope['payload']))\n\
         texts = statement['predicate']['not_proven']\n\
         statement['predicate']['not_proven'] = [t.replace('{first}-{last}', '{last}') for t in texts]\n\
         json.dump(statement, open('../quiet.json', 'w'))\nE"
    );
    place.must(&quiet);
    // Signed anew by the same key, as its owner could.
    let statement: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.top().join("quiet.json")).unwrap()).unwrap();
    let envelope = super::certificates::sealed(&place, &statement);
    std::fs::write(place.top().join("signed.json"), envelope).unwrap();
    let output = place.run("stem certificate verify ../signed.json --store .stem/store");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("entry {first} of the journal holds a part of it")), "{said}");
}
