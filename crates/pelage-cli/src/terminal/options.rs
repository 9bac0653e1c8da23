//! What every verb takes: how much it tells, in which form, and in which colors.

use std::ffi::OsStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::ColorChoice;
use clap::{Args, ValueEnum};

/// The options.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct Options {
    /// Print one JSON document, whose fields docs/JSON.md describes; `pelage train` prints a line for each event
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print results and errors alone
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Tell what is decided and why: device, threads, part of the data, what the cache has, each file left out
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Colors: on a terminal, unless NO_COLOR is set (CLICOLOR_FORCE sets them); or always, or never
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        hide_possible_values = true,
        value_enum,
        value_name = "auto|always|never",
        default_value_t
    )]
    color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// Where it is a terminal.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

static SETTLED: OnceLock<Options> = OnceLock::new();

/// What was asked for; nothing special before that is known.
pub(super) fn settled() -> Options {
    SETTLED.get().copied().unwrap_or_default()
}

/// Whether another process of the same work tells how it goes.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on errors alone are told.
#[cfg(feature = "mpi")]
pub(crate) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Whether results and errors alone are wanted.
pub(crate) fn is_quiet() -> bool {
    settled().quiet || SILENT.load(Ordering::Relaxed)
}

/// Whether decisions are told.
pub(crate) fn is_verbose() -> bool {
    settled().verbose
}

/// Whether the answer is JSON.
pub(crate) fn is_json() -> bool {
    settled().json
}

/// Chooses the colors that `arguments` ask for, before they are understood: what is said of a wrong one has colors too.
pub(crate) fn begin(arguments: impl Iterator<Item = impl AsRef<OsStr>>) {
    let (mut color, mut expected) = (Color::Auto, false);
    for argument in arguments {
        let argument = argument.as_ref().to_string_lossy();
        let value = match argument.strip_prefix("--color=") {
            Some(value) => Some(value),
            None => expected.then_some(&*argument),
        };
        expected = argument == "--color";
        color = value
            .and_then(|value| Color::from_str(value, false).ok())
            .unwrap_or(color);
        if argument == "--" {
            break;
        }
    }
    let choice = match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    choice.write_global();
    // Of bars, which are on stderr alone.
    let bars = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    console::set_colors_enabled(bars);
}

impl Options {
    /// Lets them hold for this process.
    pub(crate) fn settle(self) {
        SETTLED.get_or_init(|| self);
    }
}
