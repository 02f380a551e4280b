//! A file looked at in pieces, as erasing does: nothing may be missed that a look at the whole
//! finds, wherever it is cut.

use proptest::prelude::*;

use super::super::{End, LineSearch};
use super::*;

/// What reading a file in stretches of pieces gives: the matches, and the file without them.
fn in_pieces(data: &[u8], cuts: &[usize], selector: &Selector, format: Format) -> (u64, Vec<u8>) {
    let first = LineSearch::new(selector, format).unwrap();
    let rest = first.behind(&mut &data[..]).unwrap();
    let (mut matched, mut out) = (0, Vec::new());
    let mut take = |stretch: &[u8], search: &LineSearch<'_>, hit: bool| {
        if !hit {
            out.extend_from_slice(stretch);
            return;
        }
        let how = (&Mode::Drop, Want::Places);
        matched += search.rewrite(&mut &stretch[..], &mut out, how, &mut |_| {}).unwrap().matched;
    };
    let (mut start, mut at, mut end, mut hit) = (0, 0, End::Whole, false);
    for next in cuts.iter().copied().chain([data.len()]) {
        let piece = &data[at..next];
        let alone = start == at;
        let search = if start == 0 { &first } else { &rest };
        let look = if at == 0 { first.look(piece) } else { rest.look(piece) };
        hit = if alone { look.hit } else { true };
        end = match end {
            End::Whole => look.end,
            End::Inside => look.end_inside,
            End::Unknown => End::Unknown,
        };
        at = next;
        if end == End::Whole {
            take(&data[start..at], search, hit);
            start = at;
        }
    }
    take(&data[start..], if start == 0 { &first } else { &rest }, hit);
    (matched, out)
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]{0,4}",
        3 => Just("42".to_owned()),
        2 => "\"[a-c,\n]{0,6}\"",
        1 => "\"[a-c]\"\"\n[a-c]\"",
        1 => Just("\"".to_owned()),
        1 => "[a-c]\"[a-c]",
    ]
}

fn csv() -> impl Strategy<Value = String> {
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")];
    let row = (proptest::collection::vec(field(), 1..4), end)
        .prop_map(|(fields, end)| fields.join(",") + end);
    let rows = proptest::collection::vec(row, 1..30);
    (any::<bool>(), rows, any::<bool>()).prop_map(|(mark, rows, ended)| {
        let mark = if mark { "\u{feff}" } else { "" };
        let text = format!("{mark}id,name\n{}", rows.concat());
        if ended { text } else { text.trim_end().to_owned() }
    })
}

/// Sorted places to cut: mostly behind line feeds, as chunks are.
fn places(data: &[u8], dice: &[(u16, bool)]) -> Vec<usize> {
    let ends: Vec<usize> = memchr::memchr_iter(b'\n', data).map(|at| at + 1).collect();
    let place = |(dice, anywhere): &(u16, bool)| match *anywhere || ends.is_empty() {
        true => usize::from(*dice) % (data.len() + 1),
        false => ends[usize::from(*dice) % ends.len()],
    };
    let mut cuts: Vec<usize> = dice.iter().map(place).collect();
    cuts.retain(|cut| *cut > 0 && *cut < data.len());
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn dice() -> impl Strategy<Value = Vec<(u16, bool)>> {
    proptest::collection::vec((any::<u16>(), prop::bool::weighted(0.2)), 0..8)
}

proptest! {
    #[test]
    fn a_table_in_pieces_is_the_whole_table(text in csv(), dice in dice(), all: bool) {
        let data = text.as_bytes();
        let selector = match all {
            true => keys(&["id=42"]),
            false => Selector::records("{\"id\":\"42\",\"name\":\"a\"}\n{\"id\":\"b\",\"name\":\"42\"}").unwrap(),
        };
        let (expected, whole) = rewritten(data, CSV, &selector, &Mode::Drop);
        let (matched, pieces) = in_pieces(data, &places(data, &dice), &selector, CSV);
        prop_assert_eq!(matched, whole.matched);
        prop_assert_eq!(pieces, expected);
    }

    #[test]
    fn lines_in_pieces_are_the_whole_file(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("{\"id\":42}"), Just("{\"id\":4.2e1}"), Just("{\"a\":\"\\u0034\\u0032\"}"),
                Just(""), Just("no json 42"), Just("\u{feff}{\"id\":42}"), Just("{\"id\":7}"),
            ],
            1..30,
        ),
        dice in dice(),
    ) {
        let text = lines.join("\n");
        let data = text.as_bytes();
        for (format, selector) in
            [(JSON, keys(&["id=42"])), (Format::Text, Selector::containing("42").unwrap())]
        {
            let (expected, whole) = rewritten(data, format, &selector, &Mode::Drop);
            let (matched, pieces) = in_pieces(data, &places(data, &dice), &selector, format);
            prop_assert_eq!(matched, whole.matched);
            prop_assert_eq!(pieces, expected);
        }
    }
}
