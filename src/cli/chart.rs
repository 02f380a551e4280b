//! Small charts of figures for a terminal.

/// Eighths of a block, from none to seven.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// One column of a line of figures, from the least to the greatest.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Whether the terminal can be expected to show more than ASCII.
pub(crate) fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// How far `value` lies between `least` and `greatest`: from 0 to 1.
fn share(value: f64, least: f64, greatest: f64) -> f64 {
    // Halves, so that the widest of ranges is finite.
    let range = greatest / 2.0 - least / 2.0;
    if range > 0.0 { ((value / 2.0 - least / 2.0) / range).clamp(0.0, 1.0) } else { 1.0 }
}

fn bounds(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    (least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// A bar for each value, at most `width` columns long. It begins at 0 if no value is far from 0
/// compared to the others; else at a tenth of their range below the least.
pub(crate) fn bars(values: &[f64], width: usize, utf8: bool) -> Vec<String> {
    let (least, greatest) = bounds(values);
    let start = if least >= 0.0 && least < greatest / 2.0 {
        0.0
    } else {
        least - (greatest - least) / 10.0
    };
    let bar = |value: &f64| {
        let eighths = (share(*value, start, greatest) * (width * 8) as f64).round() as usize;
        if utf8 {
            format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
        } else {
            "#".repeat(eighths.div_ceil(8))
        }
    };
    values.iter().map(bar).collect()
}

/// All values in one line, one column each.
pub(crate) fn line(values: &[f64], utf8: bool) -> String {
    let (least, greatest) = bounds(values);
    let column = |value: &f64| {
        let step = (share(*value, least, greatest) * 7.0).round() as usize;
        if utf8 {
            STEPS[step.min(7)]
        } else {
            [b'_', b'.', b'-', b'=', b'+', b'*', b'%', b'#'][step.min(7)] as char
        }
    };
    values.iter().map(column).collect()
}

/// A figure without digits that say nothing: at most 6 of them.
pub(crate) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if value != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        return format!("{value:e}");
    }
    let digits = if magnitude >= 1000.0 { 2 } else { 6 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_their_values_and_fit() {
        let drawn = bars(&[0.0, 5.0, 10.0], 10, true);
        assert_eq!(drawn, ["", "█████", "██████████"]);
        assert_eq!(bars(&[1.0, 10.0], 10, false), ["#", "##########"]);
        assert_eq!(bars(&[3.0], 4, false), ["####"]);
        for odd in [vec![f64::MAX, f64::MIN], vec![-1.0, -2.0], vec![0.0, 0.0], vec![1e-300; 3]] {
            for bar in bars(&odd, 10, true) {
                assert!(bar.chars().count() <= 10, "{odd:?}");
            }
            assert_eq!(line(&odd, false).len(), odd.len());
        }
        assert_eq!(line(&[1.0, 2.0, 3.0], true), "▁▅█");
    }

    #[test]
    fn a_figure_has_no_idle_digits() {
        for (value, text) in [
            (0.93, "0.93"),
            (1.0, "1"),
            (-0.5, "-0.5"),
            (1e20, "1e20"),
            (0.0, "0"),
            (123456.0, "123456"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
