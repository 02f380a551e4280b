//! What was stored since the worktree's last version: three numbers for the screen, in a file that
//! may be lost.

use std::io::Write;

use super::Repository;

type Counts = (u64, u64, u64);

const FILE: &str = "stored-since-commit.json";

impl Repository {
    /// Adds to what was stored since the last version of this worktree.
    pub fn add_counts(&self, counts: Counts) {
        let sum = add(self.counts(), counts);
        // Losing the numbers loses no data, so that they cannot be kept is no error.
        let _ = self.write_counts(sum);
    }

    /// What was stored since the last version, and `counts`; begins again from nothing.
    pub fn take_counts(&self, counts: Counts) -> Counts {
        let sum = add(self.counts(), counts);
        let _ = std::fs::remove_file(self.place.dot.join(FILE));
        sum
    }

    fn counts(&self) -> Counts {
        let text = std::fs::read_to_string(self.place.dot.join(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write_counts(&self, counts: Counts) -> std::io::Result<()> {
        let text = serde_json::to_string(&counts)?;
        let path = self.place.dot.join(FILE);
        let mut options = std::fs::File::options();
        options.create(true).truncate(true).write(true).open(path)?.write_all(text.as_bytes())
    }
}

fn add(a: Counts, b: Counts) -> Counts {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1), a.2.saturating_add(b.2))
}
