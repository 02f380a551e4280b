//! History drawn beside a list: a column for each line of descent.

use std::io::{self, Write};

use stemmata::model::VersionId;
use stemmata::ops::log::VersionInfo;

/// The columns; each waits for the version that it leads to.
#[derive(Debug, Default)]
pub(super) struct Graph {
    columns: Vec<VersionId>,
}

impl Graph {
    /// Draws a version with its text; its children must have been drawn before.
    pub(super) fn draw(
        &mut self,
        version: &VersionInfo,
        text: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let at = self.columns.iter().position(|id| *id == version.version).unwrap_or_else(|| {
            self.columns.push(version.version);
            self.columns.len() - 1
        });
        let mut lines = text.lines();
        let star: Vec<_> =
            (0..self.columns.len()).map(|place| if place == at { "*" } else { "|" }).collect();
        writeln!(out, "{} {}", star.join(" "), lines.next().unwrap_or_default())?;
        for row in self.advance(at, version) {
            match lines.next() {
                Some(line) => writeln!(out, "{row} {line}")?,
                None => writeln!(out, "{row}")?,
            }
        }
        let bars = if self.columns.is_empty() {
            " ".to_owned()
        } else {
            vec!["|"; self.columns.len()].join(" ")
        };
        for line in lines {
            writeln!(out, "{}", format!("{bars} {line}").trim_end())?;
        }
        Ok(())
    }

    /// Puts the parents in the version's place; the rows that show how.
    fn advance(&mut self, at: usize, version: &VersionInfo) -> Vec<String> {
        let mut rows = Vec::new();
        if version.parents.is_empty() {
            self.columns.remove(at);
            if at < self.columns.len() {
                let right = self.columns.len() - at;
                rows.push(format!("{} {}", "| ".repeat(at), " /".repeat(right)));
            }
            return rows;
        }
        self.columns[at] = version.parents[0];
        for (place, parent) in version.parents.iter().enumerate().skip(1) {
            let right = self.columns.len() - at - place;
            self.columns.insert(at + place, *parent);
            rows.push(format!("{}|{}", "| ".repeat(at + place - 1), "\\ ".repeat(right + 1)));
        }
        while let Some((first, second)) = self.twins() {
            let mut row: Vec<u8> = "| ".repeat(first + 1).into_bytes();
            row.pop();
            for _ in first + 1..second {
                row.extend_from_slice(b"_|");
            }
            row.push(b'/');
            let right = self.columns.len() - second - 1;
            row.extend_from_slice(" /".repeat(right).as_bytes());
            rows.push(String::from_utf8(row).unwrap_or_default());
            self.columns.remove(second);
        }
        rows.iter().map(|row| row.trim_end().to_owned()).collect()
    }

    /// The first two columns that lead to the same version.
    fn twins(&self) -> Option<(usize, usize)> {
        let columns = self.columns.iter().enumerate();
        columns.clone().find_map(|(second, id)| {
            let first = self.columns[..second].iter().position(|other| other == id)?;
            Some((first, second))
        })
    }
}
