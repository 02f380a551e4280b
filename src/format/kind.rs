//! The kinds of objects.

/// What an object in a pack is. The code is the upper half of the first byte of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A piece of a file.
    Chunk = 1,
    /// A node of a manifest.
    Node = 2,
    /// The chunks of a file, or the parts of a recipe too long for one object.
    Recipe = 3,
    /// A part of a long recipe.
    RecipePart = 4,
    /// A version.
    Version = 5,
}

impl Kind {
    /// The number that stands for the kind on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Chunk),
            2 => Some(Self::Node),
            3 => Some(Self::Recipe),
            4 => Some(Self::RecipePart),
            5 => Some(Self::Version),
            _ => None,
        }
    }
}
