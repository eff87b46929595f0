//! The `newswatch` program.

fn main() -> std::process::ExitCode {
    newswatch::cli::run()
}
