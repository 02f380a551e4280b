"""Runs an outside validator: validate.py prov|openlineage|croissant FILE [SCHEMAS]."""

import json
import pathlib
import sys


def prov(path):
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(path, format="json")
    count = {}
    for record in document.get_records():
        kind = type(record).__name__
        count[kind] = count.get(kind, 0) + 1
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document, "it does not read back as it was written"
    print(json.dumps(count, sort_keys=True))


def openlineage(path, folder):
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource

    registry = Registry()
    for file in sorted(pathlib.Path(folder).rglob("*.json")):
        schema = json.loads(file.read_text())
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))

    def check(address, value, what):
        validator = Draft202012Validator(
            {"$ref": address}, registry=registry, format_checker=FormatChecker()
        )
        problems = [problem.message for problem in validator.iter_errors(value)]
        assert not problems, f"{what}: {problems}"

    facets = set()
    events = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    assert events, "there is no event"
    for event in events:
        check("https://openlineage.io/spec/2-0-2/OpenLineage.json", event, event["schemaURL"])
        check(event["schemaURL"], event, event["schemaURL"])
        datasets = event.get("inputs", []) + event.get("outputs", [])
        datasets += [event["dataset"]] if "dataset" in event else []
        holders = [event.get("job", {})] + datasets
        for holder in holders:
            for group in ("facets", "inputFacets", "outputFacets"):
                for name, facet in holder.get(group, {}).items():
                    check(facet["_schemaURL"], facet, name)
                    part = facet["_schemaURL"].removeprefix("https://openlineage.io/spec/facets/")
                    facets.add(f"{name} {part.split('/')[0]}")
    kinds = [event.get("eventType", event["schemaURL"].split("/")[-1]) for event in events]
    print(json.dumps({"facets": sorted(facets), "events": sorted(kinds)}))


def croissant(path):
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=path)
    metadata = dataset.metadata.to_json()
    rows = {}
    for record_set in dataset.metadata.record_sets:
        rows[record_set.name] = sum(1 for _ in dataset.records(record_set.uuid))
    print(json.dumps({"rows": rows, "files": len(metadata.get("distribution", []))}, sort_keys=True))


{"prov": prov, "openlineage": openlineage, "croissant": croissant}[sys.argv[1]](*sys.argv[2:])
