//! What a value of the metadata may look like.

/// A kind of value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Text that is not empty.
    Text,
    /// Where something is, without a password in it.
    Uri,
    /// A day, or a moment by RFC 3339.
    Moment,
    /// A finite number.
    Number,
    /// A whole number from 0.
    Count,
    /// What a command ends with.
    ExitCode,
    /// Yes or no.
    Truth,
    /// One of these words.
    Word(&'static [&'static str]),
    /// 64 hexadecimal digits.
    Hash,
    /// An SPDX expression, or a licence of one's own.
    Licence,
    /// A BCP 47 tag.
    Language,
    /// A revision, with a path or without.
    Reference,
    /// A list.
    List(&'static Shape),
    /// An object with these fields.
    Object(&'static Fields),
    /// An object with fields of any name and value.
    Free,
}

/// The fields of an object.
#[derive(Debug)]
pub(super) struct Fields {
    /// Those that have a name here.
    pub(super) known: &'static [Field],
    /// Whether fields of any other name that begins with `x_` may be there.
    pub(super) extensible: bool,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What it may hold.
    pub(super) shape: Shape,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What it says.
    pub(super) about: &'static str,
}

impl Fields {
    /// The field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'static Field> {
        self.known.iter().find(|field| field.name == name)
    }
}

/// What fields of one's own begin with, where objects have fixed fields.
pub(super) const OWN: &str = "x_";
