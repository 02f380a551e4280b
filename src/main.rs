//! `stem`: see `stem --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
