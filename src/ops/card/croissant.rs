//! Croissant 1.1 with the fields of its responsible-AI extension, as JSON-LD.
//!
//! Paths are relative to where the document lies: beside the files that `stem export` writes, or in
//! an archive.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Card, CardFile};
use crate::ops::lineage::{NodeId, gone_words};
use crate::ops::sniff::{Cell, Column, Format, Table};

/// The document.
pub fn croissant(card: &Card) -> Value {
    let (record, provenance) = (&card.record, &card.provenance);
    let description = provenance.purpose.clone().unwrap_or_else(|| record.message.clone());
    let author = &record.author;
    let mut document = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "name": card.dataset.as_str(),
        "description": description,
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "version": card.version.to_hex(),
        "identifier": format!("{}@{}", card.dataset, card.version),
        "datePublished": record.time.to_string(),
        "creator": {"@type": "sc:Person", "name": author.name, "email": author.email},
    });
    if let Some(licence) = &provenance.licence {
        document["license"] = json!(licence_address(licence));
    }
    if !provenance.languages.is_empty() {
        document["inLanguage"] = json!(provenance.languages);
    }
    let kind = provenance.dataset_kind.map(|kind| json!(kind));
    let mut keywords: Vec<Value> = kind.into_iter().collect();
    keywords.extend(provenance.modalities.iter().map(|modality| json!(modality)));
    if !keywords.is_empty() {
        document["keywords"] = json!(keywords);
    }
    for (key, value) in responsible(card) {
        document[key] = value;
    }
    let (distribution, records) = content(card);
    document["distribution"] = json!(distribution);
    if !records.is_empty() {
        document["recordSet"] = json!(records);
    }
    document
}

/// An SPDX identifier as the address of the licence.
fn licence_address(licence: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.+".contains(letter);
    if licence.chars().all(plain) && !licence.starts_with("LicenseRef-") {
        format!("https://spdx.org/licenses/{licence}.html")
    } else {
        licence.to_owned()
    }
}

/// The properties of the extension for which something is recorded.
fn responsible(card: &Card) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    let provenance = &card.provenance;
    let mut many = |key: &'static str, values: Vec<String>| {
        if !values.is_empty() {
            found.push((key, json!(values)));
        }
    };
    let sources = &card.sources;
    let raw = |source: &crate::model::Source| match &source.revision {
        Some(revision) => format!("{} at {revision}", source.uri),
        None => source.uri.clone(),
    };
    many("rai:dataCollectionRawData", sources.iter().map(raw).collect());
    let methods = sources.iter().filter_map(|source| source.method.clone());
    many("rai:dataCollectionType", methods.collect());
    let times = sources.iter().filter_map(|source| source.collected);
    many("rai:dataCollectionTimeFrame", times.map(|time| time.to_string()).collect());
    let steps = provenance.steps.iter().map(|step| match step.command.is_empty() {
        true => step.name.clone(),
        false => format!("{}: {}", step.name, step.command.join(" ")),
    });
    many("rai:dataPreprocessingProtocol", steps.collect());
    many("rai:dataUseCases", provenance.purpose.iter().cloned().collect());
    many("rai:dataLimitations", limitations(card));
    let mut sensitive: Vec<String> =
        provenance.sensitivity.iter().map(|word| format!("Sensitivity: {word}")).collect();
    let names = ["personal_sensitive_information", "rai:personalSensitiveInformation"];
    sensitive.extend(card.field(&names));
    many("rai:personalSensitiveInformation", sensitive);
    many(
        "rai:dataBiases",
        card.field(&["data_biases", "biases", "rai:dataBiases"]).into_iter().collect(),
    );
    many(
        "rai:annotatorDemographics",
        card.field(&["annotator_demographics", "rai:annotatorDemographics"]).into_iter().collect(),
    );
    let one = [
        ("rai:dataSocialImpact", ["data_social_impact", "rai:dataSocialImpact"]),
        (
            "rai:dataReleaseMaintenancePlan",
            ["data_release_maintenance_plan", "rai:dataReleaseMaintenancePlan"],
        ),
        (
            "rai:dataCollectionMissingData",
            ["data_collection_missing_data", "rai:dataCollectionMissingData"],
        ),
    ];
    for (key, names) in one {
        found.extend(card.field(&names).map(|text| (key, json!(text))));
    }
    let collection = card.field(&["data_collection", "rai:dataCollection"]).or_else(|| {
        let said: Vec<String> = sources.iter().filter_map(collected).collect();
        (!said.is_empty()).then(|| said.join("; "))
    });
    found.extend(collection.map(|text| ("rai:dataCollection", json!(text))));
    found
}

/// Problems that were noted, and what of the version is not given out any more.
fn limitations(card: &Card) -> Vec<String> {
    let known = card.notes.iter().filter(|note| matches!(&*note.kind, "problem" | "incident"));
    let own = card.origins.node(&NodeId::Version(card.version));
    let gone = own.and_then(gone_words).map(|words| format!("Not there any more: {words}"));
    known.map(|note| note.text.clone()).chain(gone).collect()
}

/// How a source was collected, in words; none if neither method nor provider is recorded.
fn collected(source: &crate::model::Source) -> Option<String> {
    let basis = source.legal_basis.as_deref().map(|basis| format!(", legal basis: {basis}"));
    let basis = basis.unwrap_or_default();
    match (&source.method, &source.provider) {
        (Some(method), Some(provider)) => {
            Some(format!("{method} of {} from {provider}{basis}", source.uri))
        }
        (Some(method), None) => Some(format!("{method} of {}{basis}", source.uri)),
        (None, Some(provider)) => Some(format!("{} from {provider}{basis}", source.uri)),
        (None, None) => None,
    }
}

/// The media type by the end of a name, where it is one of those that loaders know.
fn media_type(path: &str, format: Option<Format>) -> &'static str {
    if let Some(format) = format {
        return format.media_type();
    }
    let end = path.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    match end.as_str() {
        "json" => "application/json",
        "txt" | "md" => "text/plain",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "wav" => "audio/x-wav",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

/// The distribution and the record sets. Tables of one directory with the same columns are one set
/// of files and of records, if a pattern names them and no other file.
fn content(card: &Card) -> (Vec<Value>, Vec<Value>) {
    let mut distribution: Vec<Value> =
        card.files.iter().enumerate().map(|(place, file)| object(place, file)).collect();
    let places: BTreeMap<&[u8], usize> = card
        .files
        .iter()
        .enumerate()
        .map(|(place, file)| (file.entry.path.as_bytes(), place))
        .collect();
    let mut groups: BTreeMap<(String, &str), Vec<&Table>> = BTreeMap::new();
    let says_something =
        |table: &&Table| table.columns.iter().any(|column| column.cell != Cell::Binary);
    for table in card.tables.iter().filter(says_something) {
        let path = table.path.show();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        let pattern =
            if folder.is_empty() { format!("*.{end}") } else { format!("{folder}/*.{end}") };
        groups.entry((pattern, table.format.media_type())).or_default().push(table);
    }
    let mut records = Vec::new();
    for ((pattern, media), tables) in groups {
        let in_place = |table: &&Table| {
            let place = places.get(table.path.as_bytes());
            place.is_some_and(|place| card.files[*place].place == table.path.exact())
        };
        let same = tables.windows(2).all(|pair| pair[0].columns == pair[1].columns)
            && tables.iter().all(in_place);
        let plain = !pattern[..pattern.len().min(pattern.rfind("*.").unwrap_or(0))]
            .contains(['*', '?', '[', '\\']);
        // With as many tables as are looked into, there may be others that the pattern names too.
        if tables.len() > 1 && same && plain && card.tables.len() < super::TABLES {
            let id = format!("set-{}", records.len() + 1);
            distribution.push(json!({
                "@type": "cr:FileSet",
                "@id": id,
                "name": pattern,
                "includes": pattern,
                "encodingFormat": media,
            }));
            let source = json!({"fileSet": {"@id": id}});
            records.push(record_set(records.len() + 1, &pattern, &tables[0].columns, &source));
            continue;
        }
        for table in tables {
            let Some(place) = places.get(table.path.as_bytes()) else { continue };
            let source = json!({"fileObject": {"@id": object_id(*place)}});
            let name = table.path.show();
            records.push(record_set(records.len() + 1, &name, &table.columns, &source));
        }
    }
    (distribution, records)
}

fn object_id(place: usize) -> String {
    format!("file-{}", place + 1)
}

fn object(place: usize, file: &CardFile) -> Value {
    let path = file.entry.path.exact();
    let media = media_type(&path, Format::of(file.entry.path.as_bytes()));
    let mut object = json!({
        "@type": "cr:FileObject",
        "@id": object_id(place),
        "name": path,
        "contentUrl": file.place,
        "contentSize": format!("{} B", file.entry.file.size),
        "encodingFormat": media,
    });
    if let Some(sha256) = &file.sha256 {
        object["sha256"] = json!(sha256);
    }
    object
}

fn record_set(number: usize, name: &str, columns: &[Column], source: &Value) -> Value {
    let id = format!("records-{number}");
    let field = |(place, column): (usize, &Column)| {
        let kind = match column.cell {
            Cell::Integer => "sc:Integer",
            Cell::Float => "sc:Float",
            Cell::Boolean => "sc:Boolean",
            Cell::Date => "sc:Date",
            Cell::Timestamp => "sc:DateTime",
            Cell::Text | Cell::Binary => "sc:Text",
        };
        let mut from = source.clone();
        from["extract"] = json!({"column": column.name});
        json!({
            "@type": "cr:Field",
            "@id": format!("{id}/{}", place + 1),
            "name": column.name,
            "dataType": kind,
            "source": from,
        })
    };
    // No type of the standard's says bytes.
    let said = columns.iter().filter(|column| column.cell != Cell::Binary);
    let fields: Vec<Value> = said.enumerate().map(field).collect();
    json!({"@type": "cr:RecordSet", "@id": id, "name": name, "field": fields})
}

/// The context of Croissant 1.1, word for word: loaders compare it.
fn context() -> Value {
    const CR: [&str; 26] = [
        "arrayShape",
        "citeAs",
        "column",
        "containedIn",
        "equivalentProperty",
        "extract",
        "field",
        "fileProperty",
        "fileObject",
        "fileSet",
        "format",
        "includes",
        "isArray",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
        "samplingRate",
        "separator",
    ];
    let mut context = Map::new();
    for key in CR.into_iter().chain(["source", "subField", "transform"]) {
        context.insert(key.into(), json!(format!("cr:{key}")));
    }
    let others = json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "name": {"@container": "@language"},
        "sc": "https://schema.org/",
    });
    if let Value::Object(mut others) = others {
        context.append(&mut others);
    }
    Value::Object(context)
}
