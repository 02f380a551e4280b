//! What lies beside conflicts goes with them, except where somebody has changed it.

use crate::place::Place;

#[test]
fn files_beside_conflicts_go_except_those_that_were_changed() {
    let place = Place::new();
    let all = |text: &str| {
        for name in ["a", "b", "d/c", "z"] {
            place.write(name, format!("{name} {text}\n").as_bytes());
        }
        place.commit(text)
    };
    let read = |path: &str| std::fs::read_to_string(place.work().join(path)).ok();
    all("first");
    place.ok(&["switch", "-b", "side"]);
    all("side");
    place.ok(&["switch", "main"]);
    all("main");
    for finish in [&["merge", "--abort"][..], &["commit", "-a", "-m", "joined"]] {
        let (exit, data) = place.json(&["merge", "side"]);
        assert_eq!((exit, data["conflicts"].as_array().unwrap().len()), (4, 4));
        place.write("b.theirs", b"mine now\n");
        std::fs::remove_file(place.work().join("z.theirs")).unwrap();
        place.ok(finish);
        assert_eq!(place.ok(&["status", "--porcelain"]), "?? b.theirs\n");
        assert_eq!(read("b.theirs").as_deref(), Some("mine now\n"));
        for gone in ["a.theirs", "d/c.theirs", "z.theirs"] {
            assert_eq!(read(gone), None, "{gone} after {finish:?}");
        }
        assert_eq!(read("d/c").as_deref(), Some("d/c main\n"), "after {finish:?}");
        std::fs::remove_file(place.work().join("b.theirs")).unwrap();
    }
    place.assert_sound();
}

#[test]
fn a_tracked_file_with_the_name_of_another_side_stays() {
    let place = Place::new();
    place.write("a", b"first\n");
    place.write("a.theirs", b"side\n");
    place.commit("first");
    place.ok(&["switch", "-b", "side"]);
    place.write("a", b"side\n");
    place.commit("side");
    place.ok(&["switch", "main"]);
    place.write("a", b"main\n");
    place.commit("main");
    for finish in [&["merge", "--abort"][..], &["commit", "-a", "-m", "joined"]] {
        assert_eq!(place.json(&["merge", "side"]).0, 4);
        place.ok(finish);
        assert_eq!(place.ok(&["status", "--porcelain"]), "", "after {finish:?}");
    }
}
