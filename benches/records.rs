//! What questions about a large catalogue cost, beside the same questions in plain SQL.
//!
//!   cargo bench --bench records -- [VERSIONS DATASETS EDGES [DIRECTORY]]
//!
//!   cargo bench --bench records -- files [FILES]
//!
//! The second form indexes one version of so many files (a million if not said) and tells the
//! greatest memory. The first, without numbers: 10,000 versions in 1,000 datasets with 200,000 lineage edges, the size that is
//! promised. Half of the versions stand in one line of the first dataset, the rest is spread evenly;
//! each has 50 files, one of them its own and one that every version has. The repository is made
//! in a temporary directory, or in DIRECTORY, where a second run finds it again (for `stem` itself
//! and for `sqlite3`). Each figure is the median of 9; the last column is the difference to SQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use stemmata::catalogue::{Change, QueryLimits};
use stemmata::model::{
    DataRef, DatasetName, Derivation, Entry, FileId, FileRef, FixedClock, Metric, Mode, Provenance,
    Record, RecordKind, RefKind, RepoPath, Source, Time, Version, VersionId,
};
use stemmata::ops::audit::{VerifyOptions, verify};
use stemmata::ops::contains::{contains, drop_index};
use stemmata::ops::lineage::{NodeId, Question, around};
use stemmata::ops::log::{LogFilter, LogOptions, log};
use stemmata::ops::query::query;
use stemmata::repo::{self, Environment, InitOptions, Repository, Session, Transaction};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Versions that are recorded in one change.
const BATCH: u64 = 500;
const FILES: u64 = 50;

struct Size {
    versions: u64,
    datasets: u64,
    edges: u64,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "files") {
        return one_large_version(words.get(1).map_or(Ok(1_000_000), |word| word.parse())?);
    }
    let number = |at: usize, least: u64| -> Outcome<u64> {
        Ok(words.get(at).map_or(Ok(least), |word| word.parse())?)
    };
    let size = Size {
        versions: number(0, 10_000)?,
        datasets: number(1, 1_000)?.max(1),
        edges: number(2, 200_000)?,
    };
    let scratch = tempfile::tempdir()?;
    let root = words.get(3).map_or_else(|| scratch.path().join("bench"), PathBuf::from);
    if !root.join(".stem").exists() {
        let begun = Instant::now();
        generate(&root, &size)?;
        line("made, all of it", begun.elapsed(), None);
    }
    let repository = Repository::open(&root, environment()?)?;
    measure(&repository, &size)
}

fn environment() -> Outcome<Environment> {
    Ok(Environment {
        clock: Arc::new(FixedClock(Time::from_unix(1_800_000_000)?)),
        author: Some("Ada Lovelace <ada@example.org>".parse()?),
        ..Environment::default()
    })
}

/// The dataset that a version belongs to: the first for every other one.
fn dataset(at: u64, size: &Size) -> Outcome<DatasetName> {
    let number = if at.is_multiple_of(2) { 0 } else { at / 2 % size.datasets };
    Ok(format!("d{number}").parse()?)
}

fn generate(root: &Path, size: &Size) -> Outcome<()> {
    let first: DatasetName = "d0".parse()?;
    let options = InitOptions { dataset: Some(first), ..InitOptions::default() };
    repo::init(root, &options, environment()?)?;
    let repository = Repository::open_to_write(root, environment()?)?;
    let mut changes = Vec::new();
    for number in 1..size.datasets {
        changes.push(Change::DatasetCreated { dataset: format!("d{number}").parse()? });
    }
    let transaction = Transaction { changes, ..Transaction::default() };
    repository.change("bench", "datasets", None, transaction)?;
    let mut heads = std::collections::HashMap::new();
    let mut made: Vec<VersionId> = Vec::new();
    let mut at = 0;
    while at < size.versions {
        let end = (at + BATCH).min(size.versions);
        let before = heads.clone();
        let (known, now) = repository.transact("bench", "versions", None, |session| {
            let mut heads = before.clone();
            let mut known = made.clone();
            let mut transaction = Transaction::default();
            for at in at..end {
                let name = dataset(at, size).map_err(bad)?;
                let parent: Option<VersionId> = heads.get(&name).copied();
                let version = version(session, at, parent, &known, &name, size)?;
                let id = session.put_version(&version)?;
                transaction
                    .changes
                    .push(Change::VersionAdded { version: id, dataset: Some(name.clone()) });
                transaction.versions.push((id, version));
                known.push(id);
                heads.insert(name, id);
            }
            for (name, id) in &heads {
                let old = before.get(name).copied();
                transaction.changes.push(Change::RefMoved {
                    dataset: name.clone(),
                    kind: RefKind::Branch,
                    name: "main".parse().map_err(|_| bad("main".into()))?,
                    old,
                    new: Some(*id),
                    annotation: None,
                });
            }
            Ok((transaction, (known, heads)))
        })?;
        made = known;
        heads = now;
        at = end;
    }
    consumers(&repository, &made, size)
}

/// The listing is made as a stream, so the greatest memory is that of the index or of the session.
fn one_large_version(files: u64) -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    let root = scratch.path().join("bench");
    repo::init(&root, &InitOptions::default(), environment()?)?;
    let repository = Repository::open_to_write(&root, environment()?)?;
    repository.transact("bench", "files", None, |session| {
        let mut failed = None;
        let entries = (0..files).map_while(|at| {
            let path = format!("shard-{:04}/part-{:07}.jsonl", at / 1000, at);
            let file = FileId::of(&at.to_le_bytes());
            let file = FileRef { mode: Mode::File, size: 8, file };
            match RepoPath::new(path.as_bytes()) {
                Ok(path) => Some(Entry { path, file }),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        let manifest = session.build_manifest(entries)?;
        if let Some(error) = failed {
            return Err(bad(error.into()));
        }
        let version = Version {
            format: 1,
            manifest,
            files,
            bytes: files * 8,
            parents: Vec::new(),
            author: repository.author()?,
            time: repository.now(),
            utc_offset_minutes: None,
            message: "many".into(),
            provenance: Provenance::default(),
        };
        let id = session.put_version(&version)?;
        let changes = vec![Change::VersionAdded { version: id, dataset: None }];
        Ok((Transaction { changes, versions: vec![(id, version)], state: None }, ()))
    })?;
    memory("made");
    let asked = [FileId::of(&(files / 2).to_le_bytes()).to_hex()];
    let begun = Instant::now();
    contains(&repository, Path::new("."), &asked)?;
    line(&format!("contains, the first time, {files} files"), begun.elapsed(), None);
    memory("indexed");
    let begun = Instant::now();
    contains(&repository, Path::new("."), &asked)?;
    line("contains, afterwards", begun.elapsed(), None);
    let bytes = repository.place.contents().metadata()?.len();
    line_of(&format!("contains.db: {} MB", bytes / 1_000_000));
    Ok(())
}

fn memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    line_of(&format!("{what}: {peak}"));
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn line_of(text: &str) {
    println!("{text}");
}

fn bad(error: Box<dyn std::error::Error>) -> repo::Error {
    repo::Error::Lost { what: error.to_string() }
}

fn version(
    session: &Session<'_>,
    at: u64,
    parent: Option<VersionId>,
    known: &[VersionId],
    name: &DatasetName,
    size: &Size,
) -> repo::Result<Version> {
    let entries = (0..FILES).map(|file| {
        let content = match file {
            0 => "a licence".to_owned(),
            1 => format!("only {at}"),
            _ => format!("{name} {file} {}", (at / 100 + file) / 50),
        };
        let id = FileId::of(content.as_bytes());
        let path = RepoPath::new(format!("dir/{file:03}").as_bytes());
        let file = FileRef { mode: Mode::File, size: content.len() as u64, file: id };
        path.map(|path| Entry { path, file })
    });
    let entries: Vec<Entry> = entries.collect::<Result<_, _>>().map_err(|e| bad(e.into()))?;
    let mut provenance = Provenance::default();
    let uri = format!("https://example.org/{}", at % 977);
    provenance.sources.push(Source { uri, licence: Some("CC-BY-4.0".into()), ..Source::default() });
    let value = (at * 7919 % 1000) as f64 / 1000.0;
    provenance.metrics.push(Metric { name: "accuracy".into(), value, ..Metric::default() });
    let edges = size.edges * (at + 1) / size.versions - size.edges * at / size.versions;
    for edge in 0..edges.min(known.len() as u64) {
        let from = known[((at * 31 + edge * 7919) % known.len() as u64) as usize];
        let from = DataRef { dataset: name.clone(), version: from, path: None };
        let (how, other) = ("merged".to_owned(), serde_json::Map::new());
        provenance.derived_from.push(Derivation { from, how, other });
    }
    Ok(Version {
        format: 1,
        manifest: session.build_manifest(entries)?,
        files: FILES,
        bytes: FILES * 10,
        parents: parent.into_iter().collect(),
        author: format!("Ann {} <ann@example.org>", at % 20)
            .parse()
            .map_err(|_| bad("author".into()))?,
        time: Time::from_unix(1_700_000_000 + at as i64).map_err(|e| bad(e.into()))?,
        utc_offset_minutes: None,
        message: format!("version {at}: cleaned, deduplicated and split"),
        provenance,
    })
}

/// One consumer for every ten versions.
fn consumers(repository: &Repository, made: &[VersionId], size: &Size) -> Outcome<()> {
    let mut records = Vec::new();
    for (at, id) in made.iter().enumerate().step_by(10) {
        let name = dataset(at as u64, size)?;
        let mut record = Record::new(RecordKind::Consumer);
        record.name = Some(format!("model-{at}"));
        let body = serde_json::json!({
            "kind": "model", "used": [{"data": format!("{name}@{id}"), "role": "train"}],
        });
        record.body = body.as_object().cloned().unwrap_or_default();
        records.push(record);
    }
    for part in records.chunks(900) {
        repository.add_records("bench", "consumers", None, part.to_vec())?;
    }
    Ok(())
}

fn median(mut work: impl FnMut() -> Outcome<()>) -> Outcome<Duration> {
    let mut spent = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        work()?;
        spent.push(begun.elapsed());
    }
    spent.sort_unstable();
    Ok(spent[spent.len() / 2])
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn line(what: &str, took: Duration, plain: Option<Duration>) {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    match plain {
        Some(plain) => println!(
            "{what:<44} {:>10.1} ms {:>10.1} ms in SQL {:>+10.1} ms",
            millis(took),
            millis(plain),
            millis(took) - millis(plain)
        ),
        None => println!("{what:<44} {:>10.1} ms", millis(took)),
    }
}

fn plain(path: &Path, sql: &'static str) -> Outcome<Duration> {
    plain_with(path, sql, None)
}

fn plain_of(path: &Path, sql: &'static str, id: &VersionId) -> Outcome<Duration> {
    plain_with(path, sql, Some(id.to_hex()))
}

fn plain_with(path: &Path, sql: &'static str, bound: Option<String>) -> Outcome<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    runtime.block_on(async {
        let mut connection: SqliteConnection = options.connect().await?;
        let mut spent = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            let mut query = sqlx::query(sql);
            if let Some(bound) = &bound {
                query = query.bind(bound);
            }
            query.fetch_all(&mut connection).await?;
            spent.push(begun.elapsed());
        }
        spent.sort_unstable();
        Ok(spent[spent.len() / 2])
    })
}

const ACCURATE: &str = "WITH RECURSIVE walk (id) AS (
    SELECT version FROM ref WHERE dataset = 'd0' AND kind = 'branch'
    UNION SELECT parent FROM version_parent JOIN walk ON version_parent.version = walk.id)
    SELECT version.* FROM walk JOIN version USING (id) JOIN metric ON metric.version = walk.id
    WHERE metric.name = 'accuracy' AND metric.value > 0.9 ORDER BY time DESC";
const TYPICAL: &str =
    "SELECT dataset, count(*), avg(value) FROM metrics JOIN versions USING (version)
    WHERE name = 'accuracy' GROUP BY dataset ORDER BY 3 DESC";
const USERS: &str = "SELECT consumer, uri FROM uses JOIN derivations USING (version)
    JOIN sources ON sources.version = derivations.from_version
    WHERE sources.uri = 'https://example.org/7'";

/// What `lineage` asks of the origins and of the results of version $1, as one would in a shell.
const ORIGINS: &str = "WITH RECURSIVE walk (id) AS (
    SELECT $1 UNION SELECT parent FROM walk JOIN version_parent ON version = walk.id
    UNION SELECT from_version FROM walk JOIN derivation ON version = walk.id)
    SELECT 'version', id, dataset, message, time FROM walk JOIN version USING (id)
    UNION ALL SELECT 'parent', version, parent, NULL, NULL
        FROM walk JOIN version_parent ON version = walk.id
    UNION ALL SELECT 'derivation', version, from_version, relation, time
        FROM walk JOIN derivation ON version = walk.id
    UNION ALL SELECT 'step', version, name, NULL, NULL FROM walk JOIN step ON version = walk.id
    UNION ALL SELECT 'source', version, uri, NULL, NULL
        FROM walk JOIN source ON version = walk.id";
const RESULTS: &str = "WITH RECURSIVE walk (id) AS (
    SELECT $1 UNION SELECT version FROM walk JOIN version_parent ON parent = walk.id
    UNION SELECT version FROM walk JOIN derivation ON from_version = walk.id)
    SELECT 'version', id, dataset, message, time FROM walk JOIN version USING (id)
    UNION ALL SELECT 'parent', version, parent, NULL, NULL
        FROM walk JOIN version_parent ON parent = walk.id
    UNION ALL SELECT 'derivation', version, from_version, relation, time
        FROM walk JOIN derivation ON from_version = walk.id
    UNION ALL SELECT 'consumer', version, consumer, role, time
        FROM walk JOIN consumer_use ON version = walk.id";

/// `lineage` of versions early, in the middle and late, in both directions.
fn measure_lineage(repository: &Repository) -> Outcome<()> {
    let database = repository.place.catalogue();
    let rows = repository.catalogue.all_versions()?;
    for (what, part) in [("first", 0), ("middle", 1), ("last", 2)] {
        let id = rows[(rows.len() - 1) * part / 2].id;
        for (way, sql, up) in [("origins", ORIGINS, true), ("results", RESULTS, false)] {
            let question = Question { up, down: !up, ..Question::default() };
            let mut found = (0, 0);
            let took = median(|| {
                let graph = around(repository, &[NodeId::Version(id)], &question)?;
                found = (graph.nodes.len(), graph.edges.len());
                Ok(())
            })?;
            let (nodes, edges) = found;
            let what = format!("lineage, {way} of the {what} ({nodes}, {edges})");
            line(&what, took, Some(plain_of(&database, sql, &id)?));
        }
        let question = Question { depth: Some(1), ..Question::default() };
        let took = median(|| {
            around(repository, &[NodeId::Version(id)], &question).map(drop).map_err(Into::into)
        })?;
        line(&format!("lineage --depth 1 of the {what}"), took, None);
    }
    Ok(())
}

fn measure(repository: &Repository, size: &Size) -> Outcome<()> {
    let database = repository.place.catalogue();
    drop_index(repository)?;
    let id = |text: &str| vec![FileId::of(text.as_bytes()).to_hex()];
    let (common, rare) = (id("a licence"), id(&format!("only {}", size.versions / 2)));
    let here = Path::new(".");
    let begun = Instant::now();
    contains(repository, here, &rare)?;
    line("contains, the first time", begun.elapsed(), None);
    for (what, asked) in [("contains, one version", &rare), ("contains, every version", &common)] {
        let took = median(|| {
            let seen = contains(repository, here, asked)?;
            if seen.found { Ok(()) } else { Err("not found".into()) }
        })?;
        line(what, took, None);
    }
    let filtered = |filter: LogFilter, limit| LogOptions {
        revisions: vec!["d0@main".into()],
        filter,
        limit,
        ..LogOptions::default()
    };
    let all = LogOptions { revisions: vec!["d0@main".into()], ..LogOptions::default() };
    let took = median(|| log(repository, &all).map(drop).map_err(Into::into))?;
    line("log, without a condition", took, None);
    let condition =
        LogFilter { condition: Some("metric.accuracy > 0.9".into()), ..LogFilter::default() };
    let took = median(|| {
        log(repository, &filtered(condition.clone(), None)).map(drop).map_err(Into::into)
    })?;
    line("log --where", took, Some(plain(&database, ACCURATE)?));
    let words = LogFilter { search: Some("cleaned 77*".into()), ..LogFilter::default() };
    let took =
        median(|| log(repository, &filtered(words.clone(), None)).map(drop).map_err(Into::into))?;
    line("log --search", took, None);
    for (what, sql) in [("query, figures by dataset", TYPICAL), ("query, users of a source", USERS)]
    {
        let limits = QueryLimits::default();
        let took = median(|| query(repository, sql, limits).map(drop).map_err(Into::into))?;
        line(what, took, Some(plain(&database, sql)?));
    }
    measure_lineage(repository)?;
    let took = median(|| {
        let seen = verify(repository, &VerifyOptions::default())?;
        if seen.ok { Ok(()) } else { Err("the journal is wrong".into()) }
    })?;
    line("audit verify, with every table", took, None);
    Ok(())
}
