//! No space left: exit 18, nothing is lost, and the same command goes on once there is some.

use super::place::{Place, SECRETS, code};

/// Whole files, records by a key, records by their text.
const WAYS: [&str; 3] = ["--path secret.txt", "--key id=2500", "--containing 'canary 1234 '"];

/// Makes `people.jsonl` with 6,000 records, another one with some of them, and `secret.txt`.
fn corpus() -> String {
    format!(
        "stem init -q .; stem key generate > /dev/null; python3 -c \"
import random
random.seed(7)
for number in range(6000): print('{{\\\"id\\\":%d,\\\"text\\\":\\\"%032x\\\"}}' % (number, random.getrandbits(128)))\" \
         > people.jsonl; sed -n 2000,4000p people.jsonl > some.jsonl; ({SECRETS}) > secret.txt; \
         stem add -q -A; stem commit -q -m one; sed -i 100s/text/TEXT/ people.jsonl; \
         stem commit -q -a -m two"
    )
}

/// What a plan is run and looked at with; `WANTED` is what is erased.
const READ: &str = "reads() { for rev in HEAD~1 HEAD; do for path in people.jsonl some.jsonl secret.txt; \
    do stem cat $rev:$path 2> /dev/null | grep -v -e '\"id\":2500,' -e canary || true; done; done | sha256sum; }; \
    planned() { stem erase plan \"$@\" --reason x --json | grep -o '[0-9a-f]\\{64\\}' | head -1; }; ";

fn can(place: &Place, what: &str) -> bool {
    let can = code(&place.run(what)) == 0;
    if !can {
        eprintln!("skipped: `{what}` does not work on this machine");
    }
    can
}

/// It is seen before anything is changed.
#[test]
fn where_there_is_no_room_nothing_is_lost() {
    for way in WAYS {
        let place = Place::new();
        if !can(&place, "unshare -Urm true") {
            return;
        }
        let corpus = corpus();
        let inner = format!(
            "set -e; {READ} mkdir t; mount -t tmpfs -o size=12m none t; cd t; {corpus}; reads > ../before; \
             id=$(planned {way}); head -c 12000000 /dev/zero > fill 2> /dev/null || true; \
             truncate -s -700000 fill; code=0; stem erase run $id || code=$?; \
             echo $code > ../code; stem erase list --json > ../list; rm fill; stem cat HEAD~1:secret.txt > /dev/null; \
             stem fsck --read-data > /dev/null; stem erase run $id > /dev/null; reads > ../after"
        );
        std::fs::write(place.top().join("inner"), inner).unwrap();
        let ended = place.run("unshare -Urm bash ../inner");
        assert!(ended.status.success(), "{way}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(place.must("cat code").trim(), "18", "{way}");
        assert!(!place.must("cat list").contains("frozen"), "{way}: nothing was begun");
        assert_eq!(place.must("cat before"), place.must("cat after"), "{way}");
    }
}

/// It is seen by the first write that fails, wherever that is; every write after it fails too.
#[test]
fn where_a_write_finds_no_space_the_run_goes_on_later() {
    for way in WAYS {
        let place = Place::new();
        if !can(&place, "strace -o /dev/null true") {
            return;
        }
        let (corpus, calls) = (corpus(), "write,pwrite64,pwritev,fallocate,copy_file_range");
        place.must(&format!(
            "set -e; {READ} {corpus}; planned {way} > ../id; reads > ../before; \
            cd ..; cp -a data kept"
        ));
        let (mut step, mut full) = (1, 0);
        let ended = loop {
            let script = format!(
                "cd ..; rm -rf data; cp -a kept data; cd data; id=$(cat ../id); {READ} \
                 strace -f -o /dev/null -e trace={calls} -e inject={calls}:error=ENOSPC:when={step}+ \
                 stem erase run $id > ../out 2> ../err; code=$?; set -e; stem fsck --read-data > /dev/null; \
                 stem erase run $id > /dev/null; stem erase verify $id > /dev/null; reads > ../after; exit $code"
            );
            let ended = place.run(&script);
            let said =
                String::from_utf8_lossy(&ended.stderr).into_owned() + &place.must("cat ../err");
            match code(&ended) {
                0 => break step,
                18 => full += 1,
                other => panic!("{way}, write {step}: exit {other}: {said}"),
            }
            assert_eq!(
                place.must("cat ../before"),
                place.must("cat ../after"),
                "{way}, write {step}"
            );
            step += 1 + step / 2;
        };
        eprintln!("{way}: full at {full} of the writes up to {ended}");
        assert!(full > 5, "{way}: {full}");
    }
}

/// To be only read, a database needs a file beside it that its users share.
#[test]
fn where_the_database_has_no_space_beside_it_the_exit_is_18() {
    let place = Place::new();
    if !can(&place, "strace -o /dev/null true") {
        return;
    }
    place.must("stem init -q && echo one > a && stem add -q -A && stem commit -q -m one");
    for call in ["ftruncate", "pwrite64"] {
        let full = format!(
            "strace -f -o /dev/null -e trace={call} -e inject={call}:error=ENOSPC stem log"
        );
        assert_eq!(code(&place.run(&full)), 18, "{call}");
        assert_eq!(code(&place.run("stem log")), 0, "{call}");
    }
}
