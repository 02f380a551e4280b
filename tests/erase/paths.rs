//! Which paths `--path`, and the targets of holds and classes, mean.

use stemmata::model::FileId;

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

/// Paths that no line of a `.stemignore` can name are held, classified and erased by what they are
/// called, and nothing that is called nearly so is.
#[test]
fn a_path_that_no_pattern_names_is_named_exactly() {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null \
         && for f in $'caf\\xe9' 'caf\\xe9' cafx $'line\\nend' 'line?end' linexend; do echo \"in $f\" > \"$f\"; done \
         && stem add -q -A && stem commit -q -m one",
    );
    let blocked = |path: &str, expected: i32| {
        let plan = place.plan(&format!("--path {path}"));
        place.ends(expected, &format!("stem erase run -n {plan}"));
    };
    for (hold, held, free) in [
        ("$'line\\nend'", "$'line\\nend'", ["'line?end'", "linexend"]),
        // What it is called stands before what it may stand for.
        ("'caf\\xe9'", "'caf\\xe9'", ["cafx", "linexend"]),
    ] {
        let json = place.must(&format!("stem hold place data:{hold} --case 7 --reason r --json"));
        blocked(held, 15);
        free.iter().for_each(|path| blocked(path, 0));
        let id = json.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        place.must(&format!("stem hold release {id} --reason over"));
        blocked(held, 0);
    }
    // Without the one that is called so, the bytes are meant; and what is listed can be said again.
    place.must("stem rm -q 'caf\\xe9' && stem commit -q -m two && stem hold place 'data@HEAD:caf\\xe9' --case 8 --reason r");
    let listed = place.must("stem hold list");
    assert!(listed.contains(":#path:caf\\xe9  case 8"), "{listed}");
    let plan = place.plan(&format!("--file {}", FileId::of(b"in caf\xe9\n")));
    place.ends(15, &format!("stem erase run -n {plan}"));
    let plan = place.plan(&format!("--file {}", FileId::of(b"in cafx\n")));
    place.must(&format!("stem erase run -n {plan}"));
    place.must("stem classify 'data:#path:caf\\xe9' core --reason measured --reviewer Bo");
    let classes = place.must("stem classify --list --json");
    assert!(classes.contains("\"core\":{\"files\":1,"), "{classes}");
    place.ends(10, "stem hold place 'data:#path:nothing' --case 9 --reason r");
}

/// A pattern holds what it fits, whatever bytes that is made of: how a plan writes such a path is not
/// compared with it.
#[test]
fn a_pattern_holds_a_path_that_is_not_utf_8() {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null && echo a > $'caf\\xe9.txt' && echo b > b \
         && stem add -q -A && stem commit -q -m one && stem hold place 'data:caf?.txt' --case 7 --reason r",
    );
    let plan = place.plan("--path 'caf\\xe9.txt'");
    place.ends(15, &format!("stem erase run {plan}"));
}
