//! OpenLineage's datasets with their facets, each in the version that its address names.

use serde_json::{Map, Value, json};

use crate::model::{Code, Source};
use crate::ops::lineage::{Details, Node, NodeId, VersionDetails};
use crate::ops::sniff::Cell;

/// What a dataset is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// An event of its own.
    Static,
    /// What a job read.
    Input,
    /// What a job wrote.
    Output,
}

/// Who makes the events.
pub(super) fn producer() -> String {
    format!("urn:stemmata:{}", env!("CARGO_PKG_VERSION"))
}

fn facet(address: &str, fields: Value) -> Value {
    let mut facet = json!({
        "_producer": producer(),
        "_schemaURL": format!("https://openlineage.io/spec/facets/{address}"),
    });
    if let (Value::Object(facet), Value::Object(mut fields)) = (&mut facet, fields) {
        facet.append(&mut fields);
    }
    facet
}

/// A source as a dataset: the namespace is the URI's scheme and host, the name the rest.
pub(super) fn source(uri: &str, source: Option<&Source>) -> Value {
    let (namespace, name) = match uri.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            (format!("{scheme}://{host}"), if path.is_empty() { "/" } else { path })
        }
        None => ("uri".to_owned(), uri),
    };
    let called = source.and_then(|source| source.provider.as_deref()).unwrap_or(uri);
    let mut fields = json!({"name": called});
    if is_uri(uri) {
        fields["uri"] = json!(uri);
    }
    let address = "1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet";
    let mut facets = json!({"dataSource": facet(address, fields)});
    if let Some(revision) = source.and_then(|source| source.revision.as_deref()) {
        facets["version"] = version_facet(revision);
    }
    json!({"namespace": namespace, "name": name, "facets": facets})
}

/// Whether it has a scheme and only letters that a URI may have.
fn is_uri(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    };
    text.split_once(':').is_some_and(|(before, _)| scheme(before))
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn version_facet(version: &str) -> Value {
    let address = "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
    facet(address, json!({"datasetVersion": version}))
}

/// A version as a dataset.
pub(super) fn version(details: &Details, id: &NodeId, node: Option<&Node>, part: Part) -> Value {
    let name = node.and_then(|node| node.dataset.as_ref());
    let name = name.map_or("unknown", |name| name.as_str());
    let mut facets = Map::new();
    facets.insert("version".into(), version_facet(&id.to_string()));
    let parents = details.versions.get(id).map_or(0, |known| known.version.parents.len());
    let mut dataset = json!({"namespace": details.namespace, "name": name});
    if let Some(known) = details.versions.get(id) {
        described(&mut facets, known, &details.namespace);
        match part {
            Part::Static => {}
            Part::Input => {
                let address = "1-0-3/DataQualityMetricsInputDatasetFacet.json#/$defs/\
                               DataQualityMetricsInputDatasetFacet";
                let quality = facet(address, quality(known));
                dataset["inputFacets"] = json!({"dataQualityMetrics": quality});
            }
            Part::Output => {
                let address = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/\
                               OutputStatisticsOutputDatasetFacet";
                let (size, files) = (known.version.bytes, known.version.files);
                let written = facet(address, json!({"size": size, "fileCount": files}));
                dataset["outputFacets"] = json!({"outputStatistics": written});
            }
        }
    }
    dataset["facets"] = Value::Object(facets);
    change(&mut dataset, if parents == 0 { "CREATE" } else { "ALTER" });
    dataset
}

/// Says what an event did to a dataset.
pub(super) fn change(dataset: &mut Value, change: &str) {
    let address = "1-0-1/LifecycleStateChangeDatasetFacet.json#/$defs/\
                   LifecycleStateChangeDatasetFacet";
    let state = facet(address, json!({"lifecycleStateChange": change}));
    dataset["facets"]["lifecycleStateChange"] = state;
}

fn described(facets: &mut Map<String, Value>, known: &VersionDetails, namespace: &str) {
    let author = format!("user:{}", known.version.author);
    let address = "1-0-1/OwnershipDatasetFacet.json#/$defs/OwnershipDatasetFacet";
    let owners = json!({"owners": [{"name": author, "type": "AUTHOR"}]});
    facets.insert("ownership".into(), facet(address, owners));
    let address = "1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet";
    let place = json!({"name": namespace, "uri": namespace});
    facets.insert("dataSource".into(), facet(address, place));
    if !known.columns.is_empty() {
        let address = "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet";
        facets.insert("schema".into(), facet(address, json!({"fields": columns(known)})));
    }
    let tags = tags(known);
    if !tags.is_empty() {
        let address = "1-0-0/TagsDatasetFacet.json#/$defs/TagsDatasetFacet";
        facets.insert("tags".into(), facet(address, json!({"tags": tags})));
    }
    if !known.metrics.is_empty() {
        let address =
            "1-0-0/DataQualityMetricsDatasetFacet.json#/$defs/DataQualityMetricsDatasetFacet";
        facets.insert("dataQualityMetrics".into(), facet(address, quality(known)));
    }
}

fn columns(known: &VersionDetails) -> Vec<Value> {
    let field = |(place, column): (usize, &crate::ops::sniff::Column)| {
        let kind = match column.cell {
            Cell::Integer => "integer",
            Cell::Float => "number",
            Cell::Boolean => "boolean",
            Cell::Date => "date",
            Cell::Timestamp => "timestamp",
            Cell::Binary => "binary",
            Cell::Text => "string",
        };
        json!({"name": column.name, "type": kind, "ordinal_position": place + 1})
    };
    known.columns.iter().enumerate().map(field).collect()
}

fn tags(known: &VersionDetails) -> Vec<Value> {
    let provenance = &known.version.provenance;
    let mut tags = Vec::new();
    let mut add = |key: &str, value: &str| {
        tags.push(json!({"key": key, "value": value, "source": "USER"}));
    };
    known.tags.iter().for_each(|tag| add("tag", tag));
    if let Some(Value::String(kind)) = provenance.dataset_kind.and_then(|k| json!(k).into()) {
        add("dataset_kind", &kind);
    }
    provenance.languages.iter().for_each(|language| add("language", language));
    provenance.modalities.iter().for_each(|modality| add("modality", modality));
    provenance.sensitivity.iter().for_each(|sensitivity| add("sensitivity", sensitivity));
    provenance.licence.iter().for_each(|licence| add("licence", licence));
    tags
}

/// What was measured stands in `metrics`, because OpenLineage's own fields are about columns.
fn quality(known: &VersionDetails) -> Value {
    json!({
        "bytes": known.version.bytes,
        "fileCount": known.version.files,
        "lastUpdated": known.version.time.to_string(),
        "columnMetrics": {},
        "metrics": known.metrics,
    })
}

/// Where the code lies, if that can be said as a URI.
pub(super) fn code(code: &Code) -> Option<Value> {
    let remote = code.remote.as_deref()?;
    let url = match (remote.contains("://"), remote.split_once(':')) {
        (true, _) => remote.to_owned(),
        (false, Some((host, path))) => format!("ssh://{host}/{path}"),
        (false, None) => format!("file://{remote}"),
    };
    if !is_uri(&url) {
        return None;
    }
    let mut fields = json!({"type": "git", "url": url, "repoUrl": remote});
    if let Some(commit) = &code.commit {
        fields["version"] = json!(commit);
    }
    if let Some(branch) = &code.branch {
        fields["branch"] = json!(branch);
    }
    let address = "1-1-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet";
    Some(facet(address, fields))
}
