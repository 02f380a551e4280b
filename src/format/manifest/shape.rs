//! Where nodes end.

/// How many items a node has at most: entries in a leaf, children in any other node.
pub const MAX_ITEMS: u32 = 512;

/// The rule for the ends of nodes. There is one ([`Shape::STANDARD`]); tests use a finer one, so
/// that few entries make a high tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// A path ends its leaf with a probability of one in 2 to this power.
    pub(super) leaf_bits: u32,
    /// A path that ends a node ends the one above, too, with one in 2 to this power.
    pub(super) inner_bits: u32,
    /// A node ends when it has this many items.
    pub(super) max_items: u32,
}

impl Shape {
    pub(super) const STANDARD: Self = Self { leaf_bits: 6, inner_bits: 4, max_items: MAX_ITEMS };

    /// On how many levels, from the leaves up, `path` is the last one of its node, unless a node
    /// ends before because it is full.
    pub(super) fn height(self, path: &[u8]) -> u32 {
        let hash = blake3::hash(path);
        let (first, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
        let zeros = u64::from_le_bytes(*first).trailing_zeros();
        match zeros.checked_sub(self.leaf_bits) {
            Some(more) => 1 + more / self.inner_bits,
            None => 0,
        }
    }
}
