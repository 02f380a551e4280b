//! The vectors of Certificate Transparency, and every proof of every small tree.

use super::*;

/// The entries that implementations of RFC 6962 and RFC 9162 test with, and the roots over them.
const ENTRIES: [&[u8]; 8] =
    [b"", b"\0", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn roots_and_a_proof_are_those_of_certificate_transparency() {
    let leaves: Vec<Hash> = ENTRIES.iter().map(|entry| leaf(entry)).collect();
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&root(&leaves[..size])), *expected, "{size}");
    }
    let proof: Vec<String> = prove(&leaves, 5).unwrap().iter().map(hex).collect();
    assert_eq!(
        proof,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_proof_of_every_small_tree_leads_to_its_root_and_no_changed_one_does() {
    let leaves: Vec<Hash> = (0..40u8).map(|number| leaf(&[number])).collect();
    for size in 1..=leaves.len() {
        let root = root(&leaves[..size]);
        for at in 0..size {
            let (place, size) = (at as u64, size as u64);
            let proof = prove(&leaves[..size as usize], at).unwrap();
            let by = |leaf, at, size, proof: &[Hash]| root_by_proof(leaf, at, size, proof);
            assert_eq!(by(leaves[at], place, size, &proof), Some(root));
            assert_ne!(by(leaf(b"other"), place, size, &proof), Some(root));
            assert_ne!(by(leaves[at], place + 1, size, &proof), Some(root));
            assert_eq!(by(leaves[at], size, size, &proof), None);
            let longer = [&proof[..], &[root]].concat();
            assert_ne!(by(leaves[at], place, size, &longer), Some(root));
            for spot in 0..proof.len() {
                let mut changed = proof.clone();
                changed[spot][0] ^= 1;
                assert_ne!(by(leaves[at], place, size, &changed), Some(root));
                changed.remove(spot);
                assert_ne!(by(leaves[at], place, size, &changed), Some(root));
            }
        }
        assert_eq!(prove(&leaves[..size], size), None);
    }
}
