//! Which paths `--path`, and the targets of holds and classes, mean.

use crate::place::Place;

/// `[1]` is a name to most people and a set of letters to a pattern.
fn place() -> Place {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null \
         && for f in 'data[1].txt' data1.txt '#a' 'b ' b '!c' c 'x*y' xzy; do echo \"in $f\" > \"$f\"; done \
         && stem add -q -A && stem commit -q -m one",
    );
    place
}

#[test]
fn a_path_that_is_there_is_not_taken_for_a_pattern() {
    let place = place();
    for (path, id) in
        [("data[1].txt", "\"paths\":[\"data[1].txt\"]"), ("#a", "[\"#a\"]"), ("b ", "[\"b \"]")]
    {
        let plan = format!("stem erase plan --path '{path}' --reason r --json");
        let told = place.must(&plan);
        assert!(told.contains(id), "{told}");
        assert_eq!(told.matches("\"paths\":[\"").count(), 1 + 1, "{told}");
    }
    place.erase("--path 'data[1].txt'");
    place.erase("--path 'x*y'");
    place.must("stem cat HEAD:data1.txt && stem cat HEAD:xzy");
    place.ends(19, "stem cat 'HEAD:data[1].txt'");
    place.ends(19, "stem cat 'HEAD:x*y'");
    // What is no path is a pattern still.
    let both = place.must("stem erase plan --path 'data*' --reason r --json");
    assert!(both.contains("data1.txt"), "{both}");
    place.ends(10, "stem erase plan --path '!none' --reason r");
    place.ends(10, "stem erase plan --path 'data[2].txt' --reason r");
}

#[test]
fn what_is_held_and_classified_is_the_path_that_is_called_so() {
    let place = place();
    place.must("stem hold place 'data:data[1].txt' --case 7 --reason r");
    place.must("stem classify 'data:x*y' core --reason r --reviewer Bo");
    place.ends(15, "stem erase run $(stem erase plan --path 'data[1].txt' --reason r | head -1 | cut -d' ' -f2)");
    place.erase("--path data1.txt");
    let listed = place.must("stem classify --list --json");
    assert!(listed.contains("\"core\":{\"files\":1,"), "{listed}");
}

/// Of several keys of one's own, only one of which the store trusts, that one signs.
#[test]
fn a_key_that_the_store_does_not_trust_is_not_in_the_way() {
    let place = place();
    place.must("stem key generate > /dev/null");
    let plan = place.plan("--path c");
    assert!(place.ends(12, &format!("stem erase run {plan}")).contains("several keys"));
    place.must("stem key trust $(ls ../.config/stem/keys/*.pub | head -1) --role custodian");
    place.must(&format!("stem erase run {plan}"));
}
