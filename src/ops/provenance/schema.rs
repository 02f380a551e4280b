//! The JSON Schema of the metadata, made of the same table as the checks.

use serde_json::{Map, Value, json};

use super::fields::PROVENANCE;
use super::shape::{Fields, OWN, Shape};

/// A file to begin with, in YAML, with every field explained.
pub const TEMPLATE: &str = include_str!("template.yaml");

/// The schema (draft 2020-12) of a metadata document.
///
/// A document that the program takes agrees with it. The program asks for more where a schema
/// cannot: licences that SPDX knows, times that are not in the future, a metric named once.
pub fn schema() -> Value {
    let mut schema = object(PROVENANCE);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:stemmata:metadata:1",
        "title": "Metadata of a dataset version",
    });
    if let (Value::Object(schema), Value::Object(head)) = (&mut schema, head) {
        schema.extend(head);
    }
    schema
}

fn object(fields: &Fields) -> Value {
    let mut properties = Map::new();
    for field in fields.known {
        let mut value = of(field.shape);
        if let Value::Object(map) = &mut value {
            map.insert("description".into(), field.about.into());
        }
        properties.insert(field.name.into(), value);
    }
    let required = fields.known.iter().filter(|field| field.required).map(|field| field.name);
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required.collect::<Vec<_>>(),
        "additionalProperties": false,
    });
    if fields.extensible
        && let Value::Object(map) = &mut schema
    {
        map.insert("patternProperties".into(), json!({ format!("^{OWN}"): true }));
    }
    schema
}

fn of(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Licence | Shape::Reference => {
            json!({"type": "string", "pattern": "\\S"})
        }
        Shape::Uri => json!({"type": "string", "pattern": "^\\S+$"}),
        Shape::Moment => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$",
        }),
        Shape::Number => json!({"type": "number"}),
        Shape::Count => json!({"type": "integer", "minimum": 0, "maximum": 9007199254740991_u64}),
        Shape::ExitCode => json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Hash => json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}),
        Shape::Language => json!({
            "type": "string",
            "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        }),
        Shape::List(of_what) => json!({"type": "array", "items": of(*of_what)}),
        Shape::Object(fields) => object(fields),
        Shape::Free => json!({"type": "object"}),
    }
}
