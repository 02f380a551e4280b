//! `docs/cli.md` is the program's own help. `UPDATE_DOCS=1 cargo test --test docs` writes it anew.

use std::path::Path;
use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stem"))
        .args(arguments)
        .arg("--help")
        .env("COLUMNS", "100")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stdout).expect("help is text");
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The verbs below a command, as its help lists them.
fn verbs(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// What every verb repeats is said once.
fn own_part(help: &str) -> &str {
    help.split("\nEverywhere:\n").next().unwrap_or(help).trim_end()
}

fn describe(page: &mut String, words: &[&str], level: usize) {
    let text = help(words);
    page.push_str(&format!("\n{} `stem {}`\n\n", "#".repeat(level), words.join(" ")));
    page.push_str(&format!("```text\n{}\n```\n", own_part(&text)));
    for verb in verbs(&text) {
        let words: Vec<&str> = words.iter().copied().chain([verb.as_str()]).collect();
        describe(page, &words, level + 1);
    }
}

#[test]
fn the_page_of_the_command_line_is_the_programs_help() {
    let top = help(&[]);
    let mut page =
        String::from("# The command line\n\nMade from the program's help by `tests/docs.rs`.\n\n");
    page.push_str(&format!("```text\n{top}\n```\n"));
    for verb in verbs(&top) {
        describe(&mut page, &[verb.as_str()], 2);
    }
    page.push_str(JSON);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        #[expect(clippy::disallowed_methods, reason = "the page itself")]
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/cli.md is out of date: UPDATE_DOCS=1 cargo test --test docs");
}

/// Every file that a page links to is there.
#[test]
fn links_between_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for folder in ["docs", "docs/decisions"] {
        for entry in std::fs::read_dir(root.join(folder)).expect(folder) {
            pages.push(entry.expect("an entry").path());
        }
    }
    let mut links = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|end| end == "md")) {
        let text = std::fs::read_to_string(page).expect("a page is text");
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let place = page.parent().expect("a page lies in a directory").join(target);
            assert!(place.exists(), "{} links to {target}, which is not there", page.display());
            links += 1;
        }
    }
    assert!(links > 5, "only {links} links were found");
}

const JSON: &str = "
## JSON

With `--json` a verb writes one document to stdout: `{\"schema\":\"stem.<verb>/1\",\"data\":{…}}`; an error
writes one to stderr: `{\"schema\":\"stem.error/1\",\"error\":{\"code\",\"exit\",\"message\",\"hint\",\"causes\",\"paths\"}}`.
Fields are only added within a major number. Ids are 64 hexadecimal digits, sizes are bytes, times
RFC 3339 in UTC. Paths have `/` and are UTF-8; in one that is not, bytes that are not UTF-8
are written as `\\xNN`, and a backslash as `\\\\`. Arguments may be given so, too: `stem cat 'HEAD:\\xff'`.

## Revisions

`branch`, `tag`, an id or at least 4 of its first digits, `HEAD` or `@`; `x~2` (two first parents back),
`x^2` (the second parent), `x@{1}` (where branch x was one move ago, `@{1}` for the current one);
`dataset@revision` in another dataset of the store; `a..b` where a range fits; `revision:path` where a
path fits.
";
