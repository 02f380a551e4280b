//! Every way to name a version.

use crate::place::Place;
use crate::typed;

/// A history with a merge, two branches, a tag, and another dataset in the same store.
fn history() -> Place {
    let place = Place::new();
    for number in ["two", "three"] {
        place.write("a", number.as_bytes());
        typed(&place, &format!("commit -am {number}"));
    }
    typed(&place, "switch -b side HEAD~1");
    place.write("s", b"s");
    typed(&place, "add s");
    typed(&place, "commit -m side");
    typed(&place, "switch main");
    typed(&place, "merge side -m joined");
    typed(&place, "tag v1 HEAD~1 -m said");
    typed(&place, "init ../other --store .stem/store --dataset other");
    std::fs::create_dir(place.dir.path().join("other/d")).unwrap();
    crate::place::put(&place.dir.path().join("other/d/o"), b"of the other\n");
    typed(&place, "-C ../other add -A");
    typed(&place, "-C ../other commit -m other");
    place
}

fn version(place: &Place, revision: &str) -> String {
    let data = place.json(&["show", revision]);
    data["version"].as_str().unwrap().to_owned()
}

#[test]
fn every_way_to_name_a_version_names_it() {
    let place = history();
    let log = place.json(&["log"]);
    let of = |message: &str| {
        let mut versions = log["versions"].as_array().unwrap().iter();
        let found = versions.find(|it| it["message"] == message);
        found.unwrap()["version"].as_str().unwrap().to_owned()
    };
    let (first, two, three) = (of("first"), of("two"), of("three"));
    let (side, joined) = (of("side"), of("joined"));
    let other = version(&place, "other@main");
    let prefix = |id: &str| {
        let all = [&first, &two, &three, &side, &joined, &other];
        let alone = |n: &usize| all.iter().filter(|one| one.starts_with(&id[..*n])).count() == 1;
        id[..(4..).find(alone).unwrap()].to_owned()
    };
    let upper = prefix(&two).to_uppercase();
    let cases: &[(&str, &str)] = &[
        ("HEAD", &joined),
        ("@", &joined),
        ("main", &joined),
        ("side", &side),
        ("v1", &three),
        ("HEAD~", &three),
        ("HEAD~1", &three),
        ("HEAD^", &three),
        ("HEAD^1", &three),
        ("HEAD^2", &side),
        ("HEAD^2~1", &two),
        ("HEAD~2", &two),
        ("HEAD^^", &two),
        ("HEAD~0", &joined),
        ("main~3", &first),
        ("v1^", &two),
        ("@{0}", &joined),
        ("@{1}", &three),
        ("main@{1}", &three),
        ("main@{2}", &two),
        ("HEAD@{1}", &three),
        ("data@main", &joined),
        ("data@v1~1", &two),
        ("data@HEAD", &joined),
        ("other@main", &other),
        ("other@HEAD", &other),
        ("other@", &other),
        (&two, &two),
        (&prefix(&two), &two),
        (&upper, &two),
        (&format!("data@{}", prefix(&two)), &two),
        (&format!("{}~1", prefix(&two)), &first),
    ];
    for (text, expected) in cases {
        assert_eq!(version(&place, text), **expected, "{text}");
    }
}

#[test]
fn a_path_may_follow_and_a_range_stand_where_it_fits() {
    let place = history();
    for (target, expected) in [
        ("HEAD:a", "three"),
        ("v1~1:a", "two"),
        ("main@{2}:a", "two"),
        ("data@v1:d/b", "two\n"),
        ("other@main:d/o", "of the other\n"),
    ] {
        assert_eq!(place.good(&["cat", target]).out, expected, "{target}");
    }
    let files = place.json(&["ls", "other@main:d"]);
    assert_eq!(files["entries"][0]["path"], "d/o");
    let messages = |line: &str| {
        let log = place.json(&line.split(' ').collect::<Vec<_>>());
        let versions = log["versions"].as_array().unwrap().iter();
        versions.map(|it| it["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(messages("log v1..side"), ["side"]);
    assert_eq!(messages("log side..v1"), ["three"]);
    assert_eq!(messages("log main~1..main -n 1"), ["joined"]);
    assert_eq!(messages("log -1"), ["joined"]);
    assert_eq!(place.json(&["diff", "v1..side"]), place.json(&["diff", "v1", "side"]));
}

/// What both have is on neither side; between two dots everything differs that does.
#[test]
fn three_dots_mean_what_they_mean_in_git() {
    let place = history();
    let of = |arguments: &[&str], list: &str, field: &str| {
        let data = place.json(arguments);
        let all = data[list].as_array().unwrap().iter();
        let mut all: Vec<_> = all.map(|one| one[field].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(of(&["log", "v1..side"], "versions", "message"), ["side"]);
    assert_eq!(of(&["log", "v1...side"], "versions", "message"), ["side", "three"]);
    assert_eq!(of(&["diff", "v1..side"], "changes", "path"), ["a", "s"]);
    assert_eq!(of(&["diff", "v1...side"], "changes", "path"), ["s"]);
}

#[test]
fn what_names_nothing_or_too_much_is_refused() {
    let place = history();
    place.refused(&["show", "mian"], 10, "did you mean `main`?");
    place.refused(&["show", "sied~1"], 10, "did you mean `side`?");
    place.refused(&["switch", "a"], 10, "`a` is a path");
    place.refused(&["show", "abc"], 10, "no version `abc`");
    place.refused(&["show", "HEAD~9"], 10, "no version");
    place.refused(&["show", "HEAD^3"], 10, "no version");
    place.refused(&["show", "@{99}"], 10, "no version");
    place.refused(&["show", "nope@main"], 10, "no dataset `nope`");
    place.refused(&["show", "HEAD~x"], 2, "is not a revision");
    place.refused(&["cat", "HEAD:none"], 10, "none");
    place.refused(&["cat", "a"], 2, "such as `HEAD:a`");
}
