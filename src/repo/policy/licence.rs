//! Licences as SPDX expressions: whether a list of allowed ids covers one.

/// How deep parentheses may be nested.
const DEPTH: usize = 50;

/// Whether `text` has the form of an SPDX licence id.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+:".contains(&byte))
        && !["AND", "OR", "WITH"].contains(&text)
}

/// Whether one may use what is under `expression` with these ids alone: of `A OR B` one must be
/// allowed, of `A AND B` both; `A WITH E` counts as `A`. What is no expression is not allowed.
pub(super) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, at: 0, allowed };
    let verdict = reader.any(0);
    verdict == Some(true) && reader.at == words.len()
}

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
    allowed: &'a [String],
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Option<bool> {
        let mut verdict = self.all(depth)?;
        while self.take("OR") {
            verdict |= self.all(depth)?;
        }
        Some(verdict)
    }

    fn all(&mut self, depth: usize) -> Option<bool> {
        let mut verdict = self.one(depth)?;
        while self.take("AND") {
            verdict &= self.one(depth)?;
        }
        Some(verdict)
    }

    fn one(&mut self, depth: usize) -> Option<bool> {
        if self.take("(") {
            let verdict = if depth < DEPTH { self.any(depth + 1)? } else { return None };
            return self.take(")").then_some(verdict);
        }
        let id = *self.words.get(self.at).filter(|word| is_id(word))?;
        self.at += 1;
        if self.take("WITH") {
            self.words.get(self.at).filter(|word| is_id(word))?;
            self.at += 1;
        }
        Some(self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_says() {
        let allowed: Vec<String> = ["CC-BY-4.0", "MIT"].map(String::from).to_vec();
        for yes in ["MIT", "mit", "GPL-3.0-only OR MIT", "MIT AND CC-BY-4.0", "(MIT)"] {
            assert!(is_allowed(yes, &allowed), "{yes}");
        }
        assert!(is_allowed("GPL-3.0-only OR (MIT AND CC-BY-4.0)", &allowed));
        assert!(is_allowed("MIT WITH Classpath-exception-2.0", &allowed));
        let deep = "(".repeat(100_000) + "MIT" + &")".repeat(100_000);
        let odd = ["", "MIT MIT", "MIT OR", "(MIT", "MIT)", "GPL-3.0-only", "MIT AND", "OR MIT"];
        for no in odd.into_iter().chain(["MIT AND GPL-3.0-only", "proprietary", &deep]) {
            assert!(!is_allowed(no, &allowed), "{:.40}", no);
        }
    }
}
