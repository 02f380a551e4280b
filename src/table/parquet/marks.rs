//! Which rows of a group are meant.

use std::ops::Range;

/// One bit for each row of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    /// Marks a row; once is as good as twice.
    pub(super) fn set(&mut self, row: usize) {
        let (word, bit) = (row / 64, 1 << (row % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.count += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub(super) fn has(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The rows that are marked, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let words = self.words.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(index, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        })
    }

    /// The same, neighbours together.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut rows = self.rows().peekable();
        std::iter::from_fn(move || {
            let start = rows.next()?;
            let mut end = start + 1;
            while rows.next_if_eq(&end).is_some() {
                end += 1;
            }
            Some(start..end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_comes_back_in_order() {
        let mut marks = Marks::default();
        for row in [200, 3, 64, 63, 65, 3] {
            marks.set(row);
        }
        assert_eq!(marks.count(), 5);
        assert_eq!(marks.rows().collect::<Vec<_>>(), [3, 63, 64, 65, 200]);
        assert_eq!(marks.ranges().collect::<Vec<_>>(), [3..4, 63..66, 200..201]);
        assert!(marks.has(200) && !marks.has(4) && !marks.has(100_000));
    }
}
