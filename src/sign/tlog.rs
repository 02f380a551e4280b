//! Merkle trees over a log (RFC 9162, section 2.1; `c2sp.org/tlog-tiles`): SHA-256 of `00` and the
//! entry for a leaf, of `01` and both children for a node.

use sha2::{Digest, Sha256};

/// A hash in the tree.
pub type Hash = [u8; 32];

/// The hash of a leaf that holds `entry`.
pub fn leaf(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that grows at its end and keeps only what its root needs: one hash for each full subtree.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    full: Vec<Hash>,
}

impl Tree {
    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, given by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // The subtrees are the ones in the binary form of the size: adding one carries.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.full.pop() {
                hash = node(&left, &hash);
            }
        }
        self.full.push(hash);
        self.size += 1;
    }

    /// The root; that of an empty tree is the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.full.iter().rev();
        match subtrees.next() {
            None => Sha256::digest(b"").into(),
            Some(last) => subtrees.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// The root of the tree over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The hashes beside the way from leaf `index` up to the root of the tree over `leaves`; nothing if
/// there is no such leaf.
pub fn prove(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut part, mut at) = (leaves, index);
    while part.len() > 1 {
        // The largest power of two below the length.
        let split = part.len().next_power_of_two() / 2;
        let (left, right) = part.split_at(split);
        if at < split {
            proof.push(root(right));
            part = left;
        } else {
            proof.push(root(left));
            (part, at) = (right, at - split);
        }
    }
    proof.reverse();
    Some(proof)
}

/// The root that a tree of `size` leaves has if `leaf` is at `index` and `proof` lies beside its way
/// up; nothing if no proof of that length fits (RFC 9162, section 2.1.3.2).
pub fn root_by_proof(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
#[path = "tlog_tests.rs"]
mod tests;
