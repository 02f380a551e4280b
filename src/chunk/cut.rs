//! The cut points.

use std::ops::Range;

use crate::model::Profile;

use super::profile::Rule;

/// The Gear hash depends on so many bytes before the position: one per bit.
const WINDOW: usize = 64;

/// The length of the first chunk of `data`, which begins where a chunk begins.
///
/// `at_end` says that the file ends where `data` ends. `None` asks for more: `data` must hold
/// `profile.sizes().max` bytes or reach the end of the file. The cuts of a file are the same
/// however it is fed. Gear hashing (Xia et al., FastCDC, 2016) with one mask before the target
/// length and a looser one after it; see `docs/format.md`, "Chunks".
pub fn next_cut(data: &[u8], profile: Profile, at_end: bool) -> Option<usize> {
    let rule = profile.rule();
    if at_end && data.len() <= rule.sizes.target {
        return (!data.is_empty()).then_some(data.len());
    }
    if !at_end && data.len() < rule.sizes.max {
        return None;
    }
    let span = &data[..data.len().min(rule.sizes.max)];
    let candidate = candidate(span, &rule);
    Some(if rule.at_line_ends {
        line_end(span, candidate, &rule)
    } else {
        candidate.unwrap_or(span.len())
    })
}

/// The first position between the minimum and the end of `span` where the hash allows a cut.
fn candidate(span: &[u8], rule: &Rule) -> Option<usize> {
    let sizes = rule.sizes;
    let mut hasher = gearhash::Hasher::default();
    hasher.update(&span[sizes.min - WINDOW..sizes.min - 1]);
    let early = hasher.next_match(&span[sizes.min - 1..sizes.target], rule.strict_mask);
    match early {
        Some(length) => Some(sizes.min - 1 + length),
        None => hasher
            .next_match(&span[sizes.target..], rule.loose_mask)
            .map(|length| sizes.target + length),
    }
}

/// Where the line ends in which `candidate` lies; if that is not in `span`, or with no candidate, the
/// last line end of `span`. A span shorter than the maximum ends with the file, which ends a line
/// too.
fn line_end(span: &[u8], candidate: Option<usize>, rule: &Rule) -> usize {
    let next = candidate.and_then(|cut| Some(cut + memchr::memchr(b'\n', &span[cut - 1..])?));
    if let Some(end) = next {
        return end;
    }
    if span.len() < rule.sizes.max {
        return span.len();
    }
    match memchr::memrchr(b'\n', &span[rule.sizes.min..]) {
        Some(offset) => rule.sizes.min + offset + 1,
        None => candidate.unwrap_or(span.len()),
    }
}

/// Splits a whole file into ranges that cover it exactly, in order.
///
/// The cuts are those of [`next_cut`]; an empty file has no chunk.
pub fn split(data: &[u8], profile: Profile) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let length = next_cut(&data[start..], profile, true)?;
        let range = start..start + length;
        start = range.end;
        Some(range)
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
