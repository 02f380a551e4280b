//! Rust source as far as a keeper must understand it: which paths a file names, and where.

/// One word or sign of a source file, without comments.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// `::`
    Join,
    Sign(char),
    /// A string between plain quotes, as it is written; other literals leave nothing.
    Text(String),
}

/// A path that a file names, such as `crate::store::Store`, with `use` groups taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    /// Its parts, without generic arguments; `*` for a glob.
    pub(crate) parts: Vec<String>,
    /// The module that it is named in, below the module of the file.
    pub(crate) scope: Vec<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Whether only tests see it.
    pub(crate) in_test: bool,
}

/// `mod name`, with or without a body here.
#[derive(Debug, PartialEq)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) in_test: bool,
    /// What `#[path = "…"]` before it says.
    pub(crate) file: Option<String>,
}

/// What a keeper wants to know of one file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) paths: Vec<Named>,
    pub(crate) modules: Vec<Module>,
    /// Lines that belong to the program itself.
    pub(crate) lines_without_tests: usize,
    /// Where `#[path …]` (but for tests) or `include!` brings in a file from elsewhere.
    pub(crate) foreign: Vec<usize>,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let tests = test_marks(&tokens);
        let mut source = Self::default();
        let mut open: Vec<Option<String>> = Vec::new();
        let (mut at, mut file) = (0, None);
        while let Some((token, line)) = tokens.get(at) {
            let in_test = tests[at];
            let is = |offset: usize, sign: char| is_sign(&tokens, at + offset, sign);
            let mut next = at + 1;
            match token {
                Token::Sign('{') => open.push(module_before(&tokens, at)),
                Token::Sign('}') => drop(open.pop()),
                Token::Sign('#') if is(1, '[') && is_word(&tokens, at + 2, "path") => {
                    source.foreign.extend((!in_test).then_some(*line));
                    if let Some((Token::Text(text), _)) = tokens.get(at + 4) {
                        file = Some(text.clone());
                    }
                }
                Token::Word(word) if word == "include" && is(1, '!') => source.foreign.push(*line),
                Token::Word(word) if word == "mod" => {
                    if let Some((Token::Word(name), _)) = tokens.get(at + 1) {
                        let (name, line, file) = (name.clone(), *line, file.take());
                        source.modules.push(Module { name, line, in_test, file });
                    }
                }
                _ => {
                    let mut found = Vec::new();
                    if let Some(end) = path_at(&tokens, at, &mut found) {
                        next = end;
                    }
                    let scope: Vec<String> = open.iter().flatten().cloned().collect();
                    source.paths.extend(found.into_iter().map(|(parts, line)| Named {
                        parts,
                        scope: scope.clone(),
                        line,
                        in_test,
                    }));
                }
            }
            at = next;
        }
        source.lines_without_tests =
            text.lines().count().saturating_sub(test_lines(&tokens, &tests));
        source
    }
}

fn is_sign(tokens: &[(Token, usize)], at: usize, sign: char) -> bool {
    tokens.get(at).is_some_and(|(token, _)| *token == Token::Sign(sign))
}

fn is_word(tokens: &[(Token, usize)], at: usize, word: &str) -> bool {
    matches!(tokens.get(at), Some((Token::Word(found), _)) if found == word)
}

/// The name of the module whose body opens at `at`.
fn module_before(tokens: &[(Token, usize)], at: usize) -> Option<String> {
    match tokens.get(at.checked_sub(1)?)? {
        (Token::Word(name), _) if at >= 2 && is_word(tokens, at - 2, "mod") => Some(name.clone()),
        _ => None,
    }
}

/// The paths that begin at `at`, and where the text goes on; `None` if none does.
fn path_at(
    tokens: &[(Token, usize)],
    at: usize,
    found: &mut Vec<(Vec<String>, usize)>,
) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| &tokens[before].0);
    let after_use = matches!(before, Some(Token::Word(word)) if word == "use" || word == "crate");
    match &tokens[at].0 {
        // `::package::item`, but not the end of `<T as Trait>::item`.
        Token::Join if !matches!(before, Some(Token::Word(_) | Token::Sign('>' | ')' | ']'))) => {
            Some(branch(tokens, at + 1, &[], found))
        }
        Token::Join if after_use => Some(branch(tokens, at + 1, &[], found)),
        Token::Word(_) if matches!(tokens.get(at + 1), Some((Token::Join, _))) || after_use => {
            Some(branch(tokens, at, &[], found))
        }
        _ => None,
    }
}

/// Reads one branch of a `use` tree, or a path in an expression; returns where the text goes on.
fn branch(
    tokens: &[(Token, usize)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut parts = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |(_, line)| *line);
    loop {
        match tokens.get(at).map(|(token, _)| token) {
            Some(Token::Word(word)) => parts.push(word.clone()),
            Some(Token::Sign('*')) => parts.push("*".into()),
            Some(Token::Sign('{')) => return group(tokens, at + 1, &parts, found),
            _ => break,
        }
        at += 1;
        if !matches!(tokens.get(at), Some((Token::Join, _))) {
            break;
        }
        at += 1;
    }
    if parts.len() > prefix.len() {
        found.push((parts, line));
    }
    at
}

/// Reads the branches between `{` and `}`; `at` is after the `{`.
fn group(
    tokens: &[(Token, usize)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    while let Some((token, _)) = tokens.get(at) {
        at = match token {
            Token::Sign('}') => return at + 1,
            Token::Word(word) if word == "as" => at + 2,
            Token::Word(_) | Token::Sign('*' | '{') => branch(tokens, at, prefix, found),
            _ => at + 1,
        };
    }
    at
}

/// For each token whether it belongs to an item under `#[cfg(test)]`.
fn test_marks(tokens: &[(Token, usize)]) -> Vec<bool> {
    let mut marks = vec![false; tokens.len()];
    for start in 0..tokens.len() {
        if !marks[start] && is_test_attribute(tokens, start) {
            let end = end_of_item(tokens, start);
            marks[start..end].fill(true);
        }
    }
    marks
}

/// How many lines the marked items span.
fn test_lines(tokens: &[(Token, usize)], marks: &[bool]) -> usize {
    let items = tokens.iter().zip(marks).collect::<Vec<_>>();
    let items = items.chunk_by(|(_, a), (_, b)| a == b).filter(|item| *item[0].1);
    items.map(|item| item[item.len() - 1].0.1 + 1 - item[0].0.1).sum()
}

fn is_test_attribute(tokens: &[(Token, usize)], at: usize) -> bool {
    let alone = is_word(tokens, at + 4, "test");
    let with_more = is_word(tokens, at + 4, "all") && is_word(tokens, at + 6, "test");
    is_sign(tokens, at, '#')
        && is_sign(tokens, at + 1, '[')
        && is_word(tokens, at + 2, "cfg")
        && is_sign(tokens, at + 3, '(')
        && (alone || with_more)
}

/// Where the item ends that has its first attribute at `at`: after its `;` or its body.
fn end_of_item(tokens: &[(Token, usize)], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, (token, _)) in tokens[at..].iter().enumerate() {
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}' | ')' | ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && *token == Token::Sign('}') {
                    return at + offset + 1;
                }
            }
            Token::Sign(';') if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Takes a file apart. Each token comes with its line.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (token, length) = match skipped(rest) {
            Some(length) if first == '"' => {
                let inside = rest[..length].trim_matches('"');
                (Some(Token::Text(inside.into())), length)
            }
            Some(length) => (None, length),
            None if is_word_char(first) => {
                let raw = rest.strip_prefix("r#").map_or(0, |_| 2);
                let word: String = rest[raw..].chars().take_while(|c| is_word_char(*c)).collect();
                let length = raw + word.len();
                (Some(Token::Word(word)), length)
            }
            None if rest.starts_with("::") => (Some(Token::Join), 2),
            None if first.is_whitespace() => (None, first.len_utf8()),
            None => (Some(Token::Sign(first)), first.len_utf8()),
        };
        tokens.extend(token.map(|token| (token, line)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

fn is_word_char(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the comment, literal or lifetime at the beginning of `text`.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    let literal = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let prefix = text.len() - literal.len();
    if let Some(raw) = literal.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 1;
            let length = raw[body..].find(&end).map_or(raw.len(), |at| body + at + end.len());
            return Some(prefix + 1 + length);
        }
    }
    if literal.starts_with('"') {
        return Some(prefix + quoted(literal, '"'));
    }
    let after = literal.strip_prefix('\'')?;
    let mut characters = after.chars();
    let (first, second) = (characters.next(), characters.next());
    if first == Some('\\') || second == Some('\'') {
        return Some(prefix + quoted(literal, '\''));
    }
    // A lifetime; `b'a` and `c'a` do not occur.
    Some(1 + after.chars().take_while(|c| is_word_char(*c)).map(char::len_utf8).sum::<usize>())
}

/// The length of a literal between two `quote`s, in which `\` protects the next character.
fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = r##"
        // use crate::comment::X; /* crate::comment */
        /* /* crate::nested */ crate::comment */
        use crate::a::{b, c::{D as E, *}, self};
        use {blake3::hash, ::gix as g};
        pub(in crate::room) fn f<'a>(x: &'a crate::d::T<'_>) -> <X as crate::e::F>::G {
            let _ = ("crate::string", r#"crate::"raw"#, b'\'', '"', 'c', crate::g::h!());
            Vec::<super::i::J>::new()
        }
        mod inner { use super::k; }
        #[cfg(test)] mod tests { use crate::t::U; }
    "##;
    let source = Source::read(text);
    let found: Vec<String> = source.paths.iter().map(|path| path.parts.join("::")).collect();
    let expected = [
        "crate::a::b",
        "crate::a::c::D",
        "crate::a::c::*",
        "crate::a::self",
        "blake3::hash",
        "gix",
        "crate::room",
        "crate::d::T",
        "crate::e::F",
        "crate::g::h",
        "Vec",
        "super::i::J",
        "super::k",
        "crate::t::U",
    ];
    assert_eq!(found, expected);
    let last = &source.paths[expected.len() - 1];
    assert!(last.in_test && last.line == 11 && last.scope == ["tests"]);
    assert_eq!(source.paths[expected.len() - 2].scope, ["inner"]);
    assert_eq!(source.lines_without_tests, text.lines().count() - 1);
}
