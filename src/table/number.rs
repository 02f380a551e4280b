//! Decimal numbers as JSON writes them, compared without rounding.

/// A decimal number: `digits` × 10^`exponent`, with neither leading nor trailing zeros.
///
/// Two texts have equal `Decimal`s if and only if they are the same number; zero has no sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Digits before the decimal point that are still written out.
const PLAIN_DIGITS: i64 = 400;

impl Decimal {
    /// The number that `text` is by the grammar of JSON; `None` if it is none.
    ///
    /// An exponent beyond 18 digits is none either: nothing that computes could hold the number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if number_length(bytes) != Some(bytes.len()) {
            return None;
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let shorter = digits.trim_end_matches('0');
        if shorter.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let zeros = (digits.len() - shorter.len()) as i64;
        let exponent = exponent - fraction.len() as i64 + zeros;
        Some(Self { negative, digits: shorter.to_owned(), exponent })
    }

    /// The number without exponent, as short as can be; `None` if that would be very long.
    pub(super) fn plain(&self) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        if self.exponent.abs() > PLAIN_DIGITS {
            return None;
        }
        let mut text = String::new();
        if self.exponent >= 0 {
            text.push_str(&self.digits);
            text.extend(std::iter::repeat_n('0', self.exponent as usize));
        } else {
            let after = self.exponent.unsigned_abs() as usize;
            let padded = format!("{:0>width$}", self.digits, width = after + 1);
            let (whole, fraction) = padded.split_at(padded.len() - after);
            text = format!("{whole}.{fraction}");
        }
        Some(if self.negative { format!("-{text}") } else { text })
    }

    /// A text that equal numbers share and different ones do not.
    pub(super) fn exact(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent)
    }

    /// The number as RFC 8785 writes it, but integers of 64 bits with all their digits.
    ///
    /// RFC 8785 rounds to a double, which makes neighbouring identifiers beyond 2^53 the same.
    pub(super) fn canonical(&self) -> String {
        let plain = self.plain();
        if let Some(plain) = &plain
            && (plain.parse::<u64>().is_ok() || plain.parse::<i64>().is_ok())
        {
            return plain.clone();
        }
        let exact = self.exact();
        let double: f64 = exact.parse().unwrap_or(f64::INFINITY);
        if !double.is_finite() {
            return exact;
        }
        serde_json_canonicalizer::to_string(&double).unwrap_or(exact)
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
    if digits.len() > 18 {
        return None;
    }
    let size: i64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(if text.starts_with('-') { -size } else { size })
}

/// How many bytes of `bytes` are a number of JSON from the beginning.
pub(super) fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let size = digits(at + 1 + sign);
        if size == 0 {
            return None;
        }
        at += 1 + sign + size;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Decimal::parse(text).unwrap().canonical()
    }

    #[test]
    fn equal_numbers_have_one_form_and_neighbours_have_two() {
        for same in ["42", "42.0", "4.2e1", "420E-1", "0.42e+2", "42.000e0"] {
            assert_eq!(Decimal::parse(same).unwrap().exact(), "42e0", "{same}");
            assert_eq!(canonical(same), "42", "{same}");
        }
        assert_eq!(canonical("-0.0"), "0");
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
        assert_eq!(canonical("18446744073709551615"), "18446744073709551615");
        assert_eq!(canonical("-9223372036854775808"), "-9223372036854775808");
        assert_ne!(Decimal::parse("0.1"), Decimal::parse("0.10000000000000000001"));
    }

    #[test]
    fn fractions_are_written_as_rfc_8785_does() {
        assert_eq!(canonical("1e21"), "1e+21");
        assert_eq!(canonical("0.000001"), "0.000001");
        assert_eq!(canonical("1E-7"), "1e-7");
        assert_eq!(canonical("333333333.33333329"), "333333333.3333333");
        assert_eq!(canonical("1e400"), "1e400");
    }

    #[test]
    fn what_is_no_number_of_json_is_none() {
        for wrong in [
            "",
            "-",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "1 ",
            "+1",
            "NaN",
            "1e99999999999999999999",
        ] {
            assert_eq!(Decimal::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn plain_text_is_what_a_file_without_exponents_holds() {
        let plain = |text: &str| Decimal::parse(text).unwrap().plain();
        assert_eq!(plain("4.2e1").as_deref(), Some("42"));
        assert_eq!(plain("-1e-3").as_deref(), Some("-0.001"));
        assert_eq!(plain("1200").as_deref(), Some("1200"));
        assert_eq!(plain("1e999"), None);
    }
}
