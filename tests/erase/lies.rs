//! Planted bugs: a store that does not do what it says must be caught by `erase verify`.

use std::path::PathBuf;

use stemmata::format::pack::{self, TRAILER_LEN, Trailer};
use stemmata::format::table::entries;

use super::place::{Place, canary, frames, has, with_history};

/// The packs that hold the canary before the erasure, with their bytes.
fn old_packs(place: &Place, needle: &[u8]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut packs = Vec::new();
    for entry in std::fs::read_dir(place.store().join("packs")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if frames(&bytes).iter().any(|(_, object)| has(object, needle)) {
            packs.push((path, bytes));
        }
    }
    assert!(!packs.is_empty());
    packs
}

fn caught(place: &Place, id: &str, what: &str) {
    let output = place.run(&format!("stem erase verify {id}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(20), "{what} was not caught: {said}");
    // Who carries the plan out again is told as well, or has cleaned it up.
    let output = place.run(&format!("stem erase run {id}"));
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 20)), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

fn lie(what: &str, plant: impl FnOnce(&Place, Vec<(PathBuf, Vec<u8>)>)) {
    let place = with_history();
    let needle = canary(&place);
    let old = old_packs(&place, &needle);
    let id = place.erase("--path secret.txt");
    place.must(&format!("stem erase verify {id}"));
    plant(&place, old);
    caught(&place, &id, what);
}

#[test]
fn a_pack_that_was_not_written_anew() {
    lie("a pack that says deleted and is kept", |_, old| {
        for (path, bytes) in old {
            std::fs::write(path, bytes).unwrap();
        }
    });
}

#[test]
fn a_pack_whose_table_forgets_what_its_frames_hold() {
    lie("a frame without an entry", |_, old| {
        for (path, bytes) in old {
            let trailer = bytes.last_chunk::<TRAILER_LEN>().unwrap();
            let end = Trailer::decode(trailer, bytes.len() as u64).unwrap().table_offset as usize;
            let header = bytes.first_chunk::<{ pack::HEADER_LEN }>().unwrap();
            let table = &bytes[end..bytes.len() - TRAILER_LEN];
            let mut kept: Vec<_> = entries(table).flatten().take(1).collect();
            let sealed = pack::encode_end(header, &mut kept, end as u64);
            std::fs::write(path, [&bytes[..end], &sealed].concat()).unwrap();
        }
    });
}

#[test]
fn a_temporary_pack_of_a_killed_session() {
    lie("a rest in tmp", |place, old| {
        let name = format!("9999-{}", "a".repeat(32));
        let cut = old[0].1.len() - 100;
        std::fs::write(place.store().join("tmp").join(name), &old[0].1[..cut]).unwrap();
    });
}

const SQLITE: &str = "python3 - <<'E'
import os, sqlite3
lines = open('../canaries').read()
db = sqlite3.connect('.stem/store/catalogue.db')
db.execute('PRAGMA secure_delete = OFF')
db.execute('PRAGMA wal_autocheckpoint = 0')
db.execute('CREATE TABLE t (x)')
db.execute('INSERT INTO t VALUES (?)', (lines,))
db.commit()
db.execute('DROP TABLE t')
db.commit()
LAST
E";

#[test]
fn free_pages_of_the_database() {
    lie("no VACUUM", |place, _| {
        place.must(&format!("{} > ../canaries", super::place::SECRETS));
        let last = "db.execute('PRAGMA wal_checkpoint(TRUNCATE)'); db.close()";
        place.must(&SQLITE.replace("LAST", last));
        place.must("rm ../canaries");
    });
}

/// What a scrubber that forgets the digests, or does not write the database anew, would leave.
const FACT: &str = "python3 - <<'E'
import os, sqlite3
db = sqlite3.connect('.stem/store/catalogue.db')
db.execute('PRAGMA secure_delete = OFF')
db.execute('PRAGMA wal_autocheckpoint = 0')
for (file,) in db.execute('SELECT file FROM presence').fetchall():
    db.execute('INSERT INTO fact VALUES (?, ?, 1, ?)', (file, 'sha256', '5' * 64))
db.commit()
LAST
E";

#[test]
fn facts_not_scrubbed() {
    let forget =
        "db.execute('DELETE FROM fact WHERE file IN (SELECT file FROM presence)'); db.commit()";
    let close = "db.execute('PRAGMA wal_checkpoint(TRUNCATE)'); db.close()";
    let lasts = [
        ("a fact that was not scrubbed", close.to_owned()),
        ("a fact in the log", "os._exit(0)".to_owned()),
        ("a fact in a free page", format!("{forget}; {close}")),
    ];
    for (what, last) in lasts {
        lie(what, |place, _| {
            place.must(&FACT.replace("LAST", &last));
            let output = place
                .run("stem erase verify $(ls .stem/store/certificates | head -1 | cut -d. -f1)");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("keeps a digest of"), "{what}: {said}");
        });
    }
}

#[test]
fn digests_go_with_the_content_and_do_not_come_back() {
    let place = with_history();
    place.must("stem card v1 --format croissant > ../card.json");
    let sum = place.must("stem cat v1:secret.txt | sha256sum | cut -c-64");
    let database = || std::fs::read(place.store().join("catalogue.db")).unwrap();
    place.must("python3 -c \"import sqlite3; sqlite3.connect('.stem/store/catalogue.db').execute('PRAGMA wal_checkpoint(TRUNCATE)')\"");
    assert!(has(&database(), sum.trim().as_bytes()), "the card keeps digests");
    let id = place.erase("--path secret.txt");
    assert!(!has(&database(), sum.trim().as_bytes()));
    place.must(&format!("stem erase verify {id}"));
    let card = place.must("stem card v1 --format croissant");
    assert!(!card.contains(sum.trim()));
    place.must(&format!("stem erase verify {id}"));
}

#[test]
fn a_log_that_was_not_cut_off() {
    lie("a log with it", |place, _| {
        place.must(&format!("{} > ../canaries", super::place::SECRETS));
        place.must(&SQLITE.replace("LAST", "os._exit(0)"));
        assert!(place.must("stat -c %s .stem/store/catalogue.db-wal").trim() != "0");
        place.must("rm ../canaries");
    });
}

#[test]
fn files_beside_the_packs() {
    for name in ["catalogue.db.before-rebuild-1", "contains.db", "notes.log", "index/x", "plans/y"]
    {
        lie(name, |place, _| {
            let script = format!("{} > .stem/store/{name}", super::place::SECRETS);
            place.must(&script);
        });
    }
}

#[test]
fn the_file_itself_in_a_worktree() {
    let place = with_history();
    place.must("stem cat v1:secret.txt > ../copy.txt");
    let id = place.erase("--path secret.txt");
    place.must("mkdir d && mv ../copy.txt d/x.txt");
    caught(&place, &id, "a copy in a worktree");
}

#[test]
fn a_retained_version_that_lost_something() {
    let place = with_history();
    let id = place.erase("--path secret.txt");
    place.must("rm -f $(ls -S .stem/store/packs/* | head -1)");
    let output = place.run(&format!("stem certificate verify {id} --store .stem/store"));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

/// `--device` looks through the raw device: what was overwritten is not there, and a copy in free
/// space that nobody knows of is found, and the certificate claims less.
#[test]
fn a_device_is_looked_through_and_a_copy_in_free_space_is_found() {
    for planted in [false, true] {
        let place = Place::new();
        let plant = match planted {
            // A file that was deleted: its blocks are free, and still hold it.
            true => "head -c 200000 secret.bin > ../forgotten; sync; rm ../forgotten; sync;",
            false => "",
        };
        let script = format!(
            "set -e; cd ..; head -c 64000000 /dev/zero > image; mkfs.ext4 -q image; mkdir mnt; \
             d=$(losetup -f --show image) || exit 77; m=$PWD/mnt; \
             trap 'cd /; umount -l $m 2> /dev/null || true; losetup -d $d || true' EXIT; \
             mount $d mnt || exit 77; cd mnt; stem init -q data; cd data; \
             stem key generate > /dev/null 2>&1 || true; seq 1 9000 > keep.txt; \
             head -c 300000 /dev/urandom > secret.bin; stem add -q -A; stem commit -q -m one; {plant} sync; \
             id=$(stem erase plan --path secret.bin --reason x --json | grep -o '\"plan\":\"[0-9a-f]*' \
             | cut -d'\"' -f4); stem erase run $id --device $d > ../../run || echo $? > ../../code; \
             stem erase verify $id --device $d > ../../verified; stem certificate show $id --json > ../../shown; \
             stem certificate verify $id; echo $id > ../../id"
        );
        let ended = place.run(&script);
        if matches!(ended.status.code(), Some(77 | 127)) {
            eprintln!("skipped: {}", String::from_utf8_lossy(&ended.stderr));
            return;
        }
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let text = place.must("cat ../shown");
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        let predicate = &shown["data"]["predicate"];
        let store = &predicate["holders"][0];
        let read = predicate["tests"]["device_bytes"].as_u64().unwrap();
        assert_eq!(read, 64_000_000 / 512 * 512, "the whole device was read");
        let told = predicate["not_proven"].to_string();
        let expected = if planted { "L1" } else { "L2" };
        assert_eq!(store["level"], expected, "planted: {planted} {store:#}");
        assert_eq!(told.contains("raw device"), planted, "{told}");
    }
}

/// A whole file system of its own, looked through as a raw image: ext4 overwrites in place.
#[test]
fn the_raw_image_of_ext4_holds_nothing_of_it() {
    let place = Place::new();
    let script = format!(
        "set -e; cd ..; head -c 64000000 /dev/zero > image; mkfs.ext4 -q image; mkdir mnt; \
         mount -o loop image mnt || exit 77; m=$PWD/mnt; trap 'cd /; umount -l $m 2> /dev/null || true' EXIT; \
         cd mnt; {} > lines; stem init -q data; cd data; stem key generate > /dev/null 2>&1 || true; \
         seq 1 9000 > keep.txt; (cat ../lines; head -c 300000 /dev/urandom) > secret.bin; \
         tail -c 1000 secret.bin | head -c 64 > ../../needle; rm ../lines; stem add -q -A; \
         stem commit -q -m one; sync; cp ../../image ../../before; id=$(stem erase plan --path secret.bin --reason x --json \
         | grep -o '\"plan\":\"[0-9a-f]*' | cut -d'\"' -f4); \
         stem erase run $id > ../../run; stem cat HEAD:keep.txt | cksum > ../../sum; cd /; sync; \
         umount $m",
        super::place::SECRETS
    );
    let ended = place.run(&script);
    if ended.status.code() != Some(0) {
        eprintln!("skipped: {}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let needle = std::fs::read(place.top().join("needle")).unwrap();
    let image = std::fs::read(place.top().join("image")).unwrap();
    let before = std::fs::read(place.top().join("before")).unwrap();
    assert!(has(&before, &needle), "it was there before");
    assert!(!has(&image, &needle), "the raw image still has the content");
    assert!(place.must("cat ../run").contains("Certificate (final)"));
}

/// A table in which two records are the same but for one field, and each of them in a file.
fn twins() -> Place {
    let place = Place::new();
    place.must(
        "stem init -q . && stem key generate > /dev/null && python3 - > t.jsonl <<'E'
import hashlib
def text(n, times): return hashlib.sha256(b'%d' % n).hexdigest() * times
for n in range(400): print('{\"id\":%d,\"text\":\"%s\"}' % (n, text(n, 3)))
for n in [7001, 7002]: print('{\"id\":%d,\"own\":\"%s\",\"text\":\"%s\"}' % (n, text(n, 1), text(-1, 5)))
E
grep 7001 t.jsonl > ../gone && grep 7002 t.jsonl > ../stays && stem add -q -A && stem commit -q -m one",
    );
    place
}

/// What only the record has that went is found wherever it lies; what another one has too proves
/// nothing.
#[test]
fn what_stays_too_is_no_finding_and_what_went_alone_is() {
    let place = twins();
    let id = place.erase("--key id=7001");
    place.must(&format!("cp ../stays .stem/store/notes && stem erase verify {id}"));
    place.must("cp ../gone .stem/store/notes");
    caught(&place, &id, "a part of it beside the packs");
}

/// As above, in a file of a worktree that is in no version.
#[test]
fn a_worktree_holds_a_part_of_it_only_if_nothing_that_stays_has_that() {
    for (file, status) in [("stays", "final"), ("gone", "pending")] {
        let place = twins();
        place.must(&format!("cp ../{file} other.txt"));
        let id = place.plan("--key id=7001");
        place.run(&format!("stem erase run {id}"));
        let list = place.must("stem erase list --json");
        assert!(list.contains(&format!("\"{status}\"")), "{file}: {list}");
    }
}
