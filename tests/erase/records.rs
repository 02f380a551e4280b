//! Records: gone from every version of every file, everything else as it was, and refused later.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::certificates::{python, verifier};
use super::place::Place;

/// A line that stands nowhere else.
const SECRET: &str = "eve-0a1b2c3d4e5f-17@secret.example.org";

fn row(number: u64) -> (u64, String) {
    let mail = if number == 1234 { SECRET.to_owned() } else { format!("p{number}@example.org") };
    (number, mail)
}

fn json(rows: impl Iterator<Item = u64>) -> String {
    rows.map(row).map(|(id, mail)| format!("{{\"id\":{id},  \"mail\":\"{mail}\"}}\n")).collect()
}

fn csv(rows: impl Iterator<Item = u64>) -> String {
    let rows: String = rows.map(row).map(|(id, mail)| format!("{id},{mail}\r\n")).collect();
    format!("id,mail\r\n{rows}")
}

fn batch(rows: impl Iterator<Item = u64>) -> RecordBatch {
    let (ids, mails): (Vec<_>, Vec<_>) = rows.map(row).unzip();
    let ids: ArrayRef =
        Arc::new(Int64Array::from(ids.into_iter().map(|id| id as i64).collect::<Vec<_>>()));
    let mails: ArrayRef = Arc::new(StringArray::from(mails));
    RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("mail", mails, true)]).unwrap()
}

fn parquet(path: &Path, rows: impl Iterator<Item = u64>) {
    let batch = batch(rows);
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read_parquet(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
        bytes::Bytes::from(bytes),
    );
    reader.unwrap().with_batch_size(10_000).build().unwrap().map(Result::unwrap).collect()
}

fn without(rows: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
    rows.filter(|id| *id != 1234)
}

/// Three formats over two versions, a branch and a second dataset, with shared chunks.
fn with_tables() -> Place {
    let place = Place::new();
    place.must("stem init -q && stem key generate > /dev/null");
    let data = place.data();
    std::fs::write(data.join("a.jsonl"), json(0..4000)).unwrap();
    std::fs::write(data.join("b.csv"), csv(0..4000)).unwrap();
    std::fs::write(data.join("none.jsonl"), json(without(0..4000))).unwrap();
    parquet(&data.join("c.parquet"), 0..4000);
    place.must("stem add -q -A && stem commit -q -m one && stem tag v1 > /dev/null");
    std::fs::write(data.join("a.jsonl"), json(0..5000)).unwrap();
    place.must(
        "stem commit -q -a -m two && stem branch -q side && stem rm -q b.csv && \
         stem commit -q -m three && mkdir ../other && cd ../other && \
         stem init -q --store ../data/.stem/store --dataset second && cp ../data/a.jsonl mine.jsonl \
         && echo '{\"own\":1}' >> mine.jsonl && stem add -q -A && stem commit -q -m theirs",
    );
    place
}

fn versions(place: &Place) -> String {
    place.must(
        "stem log --all --json | grep -o '\"version\":\"[0-9a-f]*\"' && stem tag && cd ../other && \
         stem log --json | grep -o '\"version\":\"[0-9a-f]*\"'",
    )
}

fn cat(place: &Place, what: &str) -> Vec<u8> {
    let output = place.run(&format!("stem cat {what}"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_record_goes_from_every_version_and_nothing_else_does() {
    for ask in [
        format!("--containing {SECRET}"),
        format!("--key mail={SECRET}"),
        format!("--record '{{\"mail\":\"{SECRET}\",\"id\":1234}}'"),
    ] {
        let place = with_tables();
        let before = versions(&place);
        let original = json(0..5000);
        let id = place.erase(&ask);
        assert_eq!(versions(&place), before);
        assert_eq!(cat(&place, "v1:a.jsonl"), json(without(0..4000)).into_bytes(), "{ask}");
        assert_eq!(cat(&place, "side:a.jsonl"), json(without(0..5000)).into_bytes());
        assert_eq!(cat(&place, "v1:none.jsonl"), json(without(0..4000)).into_bytes());
        assert_eq!(cat(&place, "v1:b.csv"), csv(without(0..4000)).into_bytes(), "{ask}");
        let rows = read_parquet(cat(&place, "v1:c.parquet"));
        assert_eq!(rows, [batch(without(0..4000))]);
        let theirs = place.must("cd ../other && stem cat HEAD:mine.jsonl");
        assert_eq!(theirs, json(without(0..5000)) + "{\"own\":1}\n");
        assert_eq!(place.places(SECRET.as_bytes()), Vec::<String>::new(), "{ask}");
        // The worktree has the copies, and nothing to commit.
        assert_eq!(
            std::fs::read(place.data().join("a.jsonl")).unwrap(),
            json(without(0..5000)).into_bytes()
        );
        assert!(place.must("stem status").contains("Nothing to commit"), "{ask}");
        place.must(&format!("stem fsck --read-data && stem erase verify {id}"));
        place.must("stem gc -q -y --grace 0s && stem fsck --read-data && cd ../other && stem fsck");
        place.must(&format!("stem certificate verify {id} --key $(ls ../.config/stem/keys/*.pub)"));
        if let Some(python) = python() {
            place.must(&format!(
                "{} {} .stem/store/certificates/{id}.json ../.config/stem/keys/*.pub",
                python.display(),
                verifier().display()
            ));
        }
        assert!(place.must("stem ls -r").contains("replaced"));
        // Neither the file comes back, nor the record in another one, in whatever format.
        std::fs::write(place.data().join("a.jsonl"), original).unwrap();
        place.ends(19, "stem add a.jsonl");
        std::fs::write(place.data().join("n.jsonl"), json(1200..1300)).unwrap();
        let said = place.ends(19, "stem add n.jsonl");
        assert!(said.contains("n.jsonl") && said.contains("row 35"), "{said}");
        parquet(&place.data().join("n.parquet"), 1000..1300);
        place.ends(19, "stem add n.parquet");
        place.must("rm n.jsonl n.parquet && stem restore --force a.jsonl");
        std::fs::write(place.data().join("n.jsonl"), json(1235..1300)).unwrap();
        place.must("stem add -q n.jsonl");
    }
}

#[test]
fn a_field_is_redacted_and_the_rows_stay() {
    let place = with_tables();
    let id = place.erase("--key id=1234 --redact mail");
    let line = format!("\"mail\":\"{SECRET}\"");
    assert_eq!(
        cat(&place, "v1:a.jsonl"),
        json(0..4000).replace(&line, "\"mail\":null").into_bytes()
    );
    assert_eq!(cat(&place, "v1:b.csv"), csv(0..4000).replace(SECRET, "").into_bytes());
    let rows = read_parquet(cat(&place, "v1:c.parquet"));
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 4000);
    assert_eq!(place.places(SECRET.as_bytes()), Vec::<String>::new());
    place.must(&format!("stem erase verify {id} && stem fsck --read-data"));
    // What stays is not what went: it may be added again.
    place.must("stem cat v1:a.jsonl > again.jsonl && stem add -q again.jsonl");
    std::fs::write(place.data().join("n.jsonl"), json(1200..1300)).unwrap();
    place.ends(19, "stem add n.jsonl");
    // Whoever may takes the ban back, and what is given out stays so.
    place.must("stem key trust ../.config/stem/keys/*.pub --role custodian");
    place.must(&format!("stem erase lift {id} --reason agreed && stem add -q n.jsonl"));
    assert!(cat(&place, "v1:b.csv").starts_with(b"id,mail\r\n0,"));
    place.must("stem gc -q -y --grace 0s && stem fsck --read-data");
}

#[test]
fn what_cannot_be_read_is_named_and_bad_requests_change_nothing() {
    let place = with_tables();
    place.ends(2, "stem erase plan --record '{bad' --reason x");
    place.ends(2, "stem erase plan --record '' --reason x");
    place.ends(2, "stem erase plan --key nonsense --reason x");
    place.ends(2, "stem erase plan --key a=1 --redact --reason x");
    place.ends(2, "stem erase plan --path a.jsonl --redact mail --reason x");
    place.ends(10, "stem erase plan --key id=999999 --reason x");
    place.must(
        "printf 'PAR1 broken footer' > bad.parquet && stem add -q -A && stem commit -q -m bad",
    );
    let said = place.ends(20, "stem erase plan --key id=999999 --reason x");
    assert!(said.contains("bad.parquet"), "{said}");
    let script = "stem erase plan --key id=1234 --reason x --json > ../plan.json";
    place.ends(20, script);
    let text = std::fs::read_to_string(place.top().join("plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(plan["data"]["unproven"][0].as_str().unwrap().contains("bad.parquet"));
    assert!(!text.contains(SECRET));
    let id = plan["data"]["plan"].as_str().unwrap();
    place.must("stem branch -q elsewhere v1");
    place.ends(16, &format!("stem erase run {id}"));
    place.must("stem branch -q -d elsewhere");
    let json = place.run(&format!("stem erase run {id} --json"));
    assert_eq!(json.status.code(), Some(20));
    let run: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(run["data"]["erased"]["records"], 5, "{run}");
    let found = run["data"]["not_proven"].to_string();
    assert!(found.contains("bad.parquet"), "{found}");
    assert_eq!(place.places(SECRET.as_bytes()), Vec::<String>::new());
}

#[test]
fn a_key_column_that_a_table_lacks_is_told() {
    let place = with_tables();
    place.must(
        "printf 'name,city\\nx,y\\n' > other.csv && stem add -q other.csv && stem commit -q -m other",
    );
    let log = place.must("stem audit log --json");
    place.ends(10, "stem erase plan --key nobody_has_it=1 --reason x");
    assert_eq!(place.must("stem audit log --json"), log, "nothing was recorded");
    let said = place.must("stem erase plan -n --key id=2500 --reason x");
    assert!(said.contains("no column") && said.contains("other.csv"), "{said}");
    let plan = place.must("stem erase plan -n --key id=2500 --reason x --json");
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["data"]["absent_keys"].to_string().contains("other.csv: id"), "{plan}");
}
