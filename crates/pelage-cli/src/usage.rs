//! Wrong usage, in the style of every other error.

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::failure::Failure;

/// The command line, or the exit code where something else was asked for and said, or what is wrong with it.
pub(crate) fn parse<T: Parser>(arguments: Vec<OsString>) -> Result<T, Result<u8, Failure>> {
    T::try_parse_from(arguments).map_err(|refused| match refused.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Whoever reads no help needs none.
            let _ = refused.print();
            Ok(u8::try_from(refused.exit_code()).unwrap_or(2))
        }
        _ => Err(failure(&refused.render().to_string())),
    })
}

/// What clap says: the error, then tips, the usage, and where to read more, each behind an empty line.
fn failure(said: &str) -> Failure {
    let (mut message, mut help) = (Vec::new(), Vec::new());
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        let remedy = line.trim_start();
        if let Some(tip) = remedy.strip_prefix("tip: ") {
            help.push(tip.to_string());
        } else if let Some(usage) = remedy.strip_prefix("Usage: ") {
            help.push(format!("usage: {usage}"));
        } else if remedy.starts_with("For more information, try ") {
            let begin = "For more information, try ".len();
            help.push(format!("{} tells more", remedy[begin..].trim_end_matches('.')));
        } else {
            message.push(line);
        }
    }
    let message = message.join("\n");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    help.into_iter().fold(Failure::usage(message), Failure::help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_clap_looks_like_any_other() {
        let command = clap::Command::new("pelage").arg(clap::Arg::new("epochs").long("epochs"));
        let refused = command.clone().try_get_matches_from(["pelage", "--epoch", "3"]);
        let told = failure(&refused.unwrap_err().render().to_string()).to_string();
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "error: unexpected argument '--epoch' found");
        assert_eq!(lines[1], "help: a similar argument exists: '--epochs'");
        assert!(lines[2].starts_with("help: usage: pelage "), "{told}");
        assert_eq!(lines[3..], ["help: '--help' tells more"]);
    }
}
