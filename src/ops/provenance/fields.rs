//! The metadata, field by field. The struct is `model::Provenance`; a test holds the two together.

use super::shape::Shape::{
    Count, ExitCode, Free, Hash, Language, Licence, List, Moment, Number, Object, Reference, Text,
    Truth, Uri, Word,
};
use super::shape::{Field, Fields, Shape};

const fn may(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, required: false, about }
}

const fn must(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, required: true, about }
}

/// Everything that can be said of a version when it is committed.
pub(super) const PROVENANCE: &Fields = &Fields {
    known: &[
        may("sources", List(&Object(SOURCE)), "What was taken from outside."),
        may("steps", List(&Object(STEP)), "What was done, in order."),
        may("metrics", List(&Object(METRIC)), "How good it is."),
        may("derived_from", List(&Object(DERIVATION)), "Versions that it was made from otherwise."),
        may("purpose", Text, "What it is for, in words."),
        may("dataset_kind", Word(KINDS), "What part of a model's life it serves."),
        may("languages", List(&Language), "Languages, as BCP 47 tags."),
        may("modalities", List(&Text), "Modalities: text, image, audio, video, table and others."),
        may("sensitivity", Text, "How sensitive it is: public, internal, personal or the like."),
        may("licence", Licence, "The licence of the whole."),
        may("fields", Free, "Fields of your own."),
    ],
    extensible: false,
};

/// The words for a dataset's kind.
pub(super) const KINDS: &[&str] = &[
    "pretraining",
    "evaluation",
    "instruction",
    "preference",
    "reinforcement",
    "prompt",
    "feedback",
    "operations-log",
    "other",
];

const NOTE: Field = may("note", Text, "In words.");

/// A place that data was taken from.
pub(super) const SOURCE: &Fields = &Fields {
    known: &[
        must("uri", Uri, "What was read: a URI."),
        may("revision", Text, "The exact state that was read, such as a Git commit."),
        may("provider", Text, "Who provides it."),
        may("licence", Licence, "Under which licence."),
        may("legal_basis", Text, "Why it may be processed, such as consent or contract."),
        may("method", Text, "How it was collected, such as crawl, purchase, survey."),
        may("collected", Moment, "When it was collected by whoever provides it."),
        may("retrieved", Moment, "When it was received."),
        may("sha256", Hash, "SHA-256 of what was received."),
        may("blake3", Hash, "BLAKE3 of what was received."),
        may("path", Text, "The path in the version that holds it; left out for the whole."),
        NOTE,
    ],
    extensible: true,
};

/// Something that was done.
pub(super) const STEP: &Fields = &Fields {
    known: &[
        must("name", Text, "What it is called, such as dedupe."),
        may("command", List(&Text), "The program and its arguments."),
        may("parameters", Free, "What it was set to."),
        may("inputs", List(&Reference), "The versions that it read: dataset@revision[:path]."),
        may("inputs_unsaved", List(&Text), "Paths that it read with changes in no version."),
        may("outputs", List(&Text), "The paths that it wrote."),
        may("code", Object(CODE), "The code that ran."),
        may("environment", Free, "Where it ran."),
        may("exit_code", ExitCode, "What the command ended with."),
        may("started", Moment, "When it began."),
        may("ended", Moment, "When it ended."),
        may("operator", Text, "Who did it: Name <mail>."),
        may("decided", Word(&["human", "assisted", "automatic"]), "Who decided it."),
        may("output_tail", Text, "The end of what the command printed."),
        NOTE,
    ],
    extensible: true,
};

/// A revision of code.
pub(super) const CODE: &Fields = &Fields {
    known: &[
        may("remote", Uri, "Where the repository can be had."),
        may("commit", Text, "The commit, in hexadecimal."),
        may("branch", Text, "The branch."),
        may("dirty", Truth, "Whether tracked files differed from the commit."),
        may("untracked", Count, "How many files were not tracked and not ignored."),
    ],
    extensible: true,
};

/// A figure.
pub(super) const METRIC: &Fields = &Fields {
    known: &[
        must("name", Text, "What was measured."),
        must("value", Number, "What came out."),
        may("unit", Text, "In what: a unit or %; left out for a bare number."),
        may("method", Text, "How it was measured."),
        may("slice", Text, "Which part was measured; left out for the whole."),
        may("sample_size", Count, "Over how many items."),
        may("threshold", Number, "The value that it should reach."),
        NOTE,
    ],
    extensible: true,
};

/// Another version.
pub(super) const DERIVATION: &Fields = &Fields {
    known: &[
        must("from", Reference, "Which one: dataset@revision[:path]."),
        must("how", Text, "By what."),
        NOTE,
    ],
    extensible: true,
};
