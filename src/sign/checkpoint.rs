//! What a log says of itself at one moment (`c2sp.org/tlog-checkpoint`), as the text of a signed note.

use super::error::malformed;
use super::tlog::Hash;
use super::wire::{from_base64, to_base64};
use super::{PublicKey, Result, SecretKey, note};

const WHAT: &str = "the checkpoint";

/// How long a log was, and the root of the Merkle tree over its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name without spaces and plus signs.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree over them; see [`super::tlog`].
    pub root: Hash,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, to_base64(&self.root))
    }

    /// The opposite of [`Checkpoint::to_text`]. Lines that may follow in checkpoints of other
    /// programs are refused: this program has no use for what no tree holds.
    ///
    /// # Errors
    ///
    /// [`super::Error::Malformed`].
    pub fn from_text(text: &str) -> Result<Self> {
        let bad = |problem: &str| malformed(WHAT, problem);
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or_else(|| bad("it has fewer than three lines"));
        let (origin, size, root, end) = (next()?, next()?, next()?, next()?);
        if !end.is_empty() || lines.next().is_some() || origin.is_empty() {
            return Err(bad("it is not three lines"));
        }
        let number: u64 = size.parse().map_err(|_| bad("its size is not a number"))?;
        if number.to_string() != size {
            return Err(bad("its size is not a number in its shortest form"));
        }
        let root = from_base64(root, WHAT)?;
        let root: Hash = root.try_into().map_err(|_| bad("its root is not 32 bytes long"))?;
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }

    /// A signed note of it, under the log's own name.
    ///
    /// # Errors
    ///
    /// [`super::Error::Malformed`] if the origin cannot be the name of a key.
    pub fn sign(&self, key: &SecretKey) -> Result<String> {
        note::sign(&self.to_text(), &self.origin, key)
    }

    /// The checkpoint of a note that one of `keys` has signed under the log's own name, and which.
    ///
    /// # Errors
    ///
    /// Those of [`note::open`].
    pub fn open(signed: &str, keys: &[PublicKey]) -> Result<(Self, Vec<PublicKey>)> {
        let says = Self::from_text(note::peek(signed)?)?;
        let keys: Vec<_> = keys.iter().map(|key| (says.origin.as_str(), *key)).collect();
        let opened = note::open(signed, &keys)?;
        let signers = opened.signers.into_iter().map(|(_, key)| key).collect();
        Ok((Self::from_text(&opened.text)?, signers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Error;

    fn example() -> Checkpoint {
        let root = from_base64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", WHAT).unwrap();
        Checkpoint {
            origin: "example.com/behind-the-sofa".into(),
            size: 20_852_163,
            root: root.try_into().unwrap(),
        }
    }

    #[test]
    fn the_text_is_that_of_the_specifications_example() {
        let text = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(example().to_text(), text);
        assert_eq!(Checkpoint::from_text(text).unwrap(), example());
    }

    #[test]
    fn what_is_not_three_lines_is_refused() {
        let text = example().to_text();
        let padded = text.replace("20852163", "020852163");
        let signed = text.replace("20852163", "+20852163");
        let short = text.replace("2I=", "");
        let more = format!("{text}more\n");
        let cut = text.trim_end();
        for wrong in ["", "\n\n\n", &padded, &signed, &short, &more, cut] {
            assert!(Checkpoint::from_text(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_checkpoint_opens_with_the_key_that_signed_it_and_with_no_other() {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let signed = example().sign(&key).unwrap();
        let keys = [other.public(), key.public()];
        let (opened, signers) = Checkpoint::open(&signed, &keys).unwrap();
        assert_eq!((opened, signers), (example(), vec![key.public()]));
        assert!(matches!(Checkpoint::open(&signed, &keys[..1]), Err(Error::TooFew { .. })));
        for at in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&text, &keys).is_err(), "{text}");
            }
        }
    }
}
