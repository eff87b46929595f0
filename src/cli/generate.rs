//! `newswatch completions` and `newswatch man`, from the same definitions as `--help`.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit};

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  newswatch completions bash > /usr/share/bash-completion/completions/newswatch")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes a completion script.
pub(crate) fn completions(arguments: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "newswatch", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}

/// Writes the man page: the program's, then each command's.
pub(crate) fn man() -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands() {
        let name = format!("newswatch-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand.clone().name(name.leak() as &str)).render(&mut page)?;
    }
    io::stdout().write_all(&page)?;
    Ok(Exit::Done)
}
