//! `pelage serve`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pelage::zoo::store::Store;
use pelage::{Architecture, Error};
use pelage_serve::models::Models;
use pelage_serve::teach::Backbone;
use pelage_serve::{App, Audience, Options, Runs, bind, serve};
use tokio::sync::Notify;

use super::compute::{Computing, Precise};
use crate::failure::{Failure, Outcome};
use crate::options::{Networks, new_folder};
use crate::signals::{interrupted, stop_on_signal};
use crate::terminal::{tell, warn};

/// A web page and an API that classify pictures
///
/// Opens a page on which pictures are dropped, pasted or taken with a camera, and that shows what the model says of
/// them; with two models, side by side. Programs ask POST /api/predict; /api/openapi.json says what else there is.
/// Nothing leaves this machine. Ctrl-C finishes what is under way and ends.
#[derive(Args)]
pub(super) struct Arguments {
    /// Run folders or model files, at most two; and folders of runs, whose curves are shown as they grow
    #[arg(required_unless_present_any = ["check", "teach"], value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Ask the server that runs at --host and --port whether it is well, and exit with 0 or 1; for containers
    #[arg(long)]
    check: bool,
    /// The address to listen at; one that other machines reach needs --token or --public
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
    /// Answer whoever sends this token, or opens the page with #token=TOKEN behind its address; PELAGE_TOKEN sets it
    /// too, and other users do not see that in the list of processes
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Answer everyone who reaches the address
    #[arg(long, conflicts_with = "token")]
    public: bool,
    /// A name that the server is reached by, beside localhost and IP addresses; may be given more than once
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Answer "unknown" below this calibrated confidence, 0 to 1, and if a picture is too far from the training set;
    /// for models with a calibration
    #[arg(long, value_name = "CONFIDENCE")]
    reject: Option<f64>,
    /// Ask people what a picture really shows, and keep it in this folder, one below it for each class, which `pelage
    /// train` reads; at most 10,000 pictures and 1 GiB
    #[arg(long, value_name = "DIR", value_parser = new_folder())]
    collect: Option<PathBuf>,
    /// A page on which classes are named and shown a few pictures each, and a head on this frozen backbone learns them
    /// [default: the first whose weights `pelage weights` keeps]
    #[arg(
        long,
        value_name = "BACKBONE",
        num_args = 0..=1,
        require_equals = true,
        value_parser = Networks(&Architecture::ALL)
    )]
    teach: Option<Option<Architecture>>,
    /// The file of the backbone's weights, or `random` to try things out [default: those that `pelage weights` keeps]
    #[arg(long, value_name = "FILE", requires = "teach")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    precise: Precise,
    #[command(flatten)]
    computing: Computing,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    if arguments.check {
        return check(&arguments.host, arguments.port);
    }
    let token = arguments.token.clone().or_else(|| std::env::var("PELAGE_TOKEN").ok());
    let audience = match (arguments.public, token) {
        (true, _) => Audience::Public,
        (false, Some(token)) => Audience::Token(token),
        (false, None) => Audience::Loopback,
    };
    let teach = arguments
        .teach
        .map(|named| backbone(named, arguments.weights))
        .transpose()?;
    // First: whoever may not listen there need not wait for the models.
    let listener = bind(&arguments.host, arguments.port, &audience).map_err(|failure| match failure {
        Error::Setting { name: "host", .. } => {
            Failure::usage(failure.to_string()).help("`--token TOKEN`, or `--public`")
        }
        Error::Io { .. } => Failure::failed(failure.to_string()).help("another --port may be free"),
        other => other.into(),
    })?;
    let (listed, opened): (Vec<_>, Vec<_>) = arguments.runs.into_iter().partition(|path| Runs::is_source(path));
    if opened.len() > 2 {
        return Err(Failure::usage("at most two models stand side by side"));
    }
    let (compute, precision) = (arguments.computing.compute(), arguments.precise.precision);
    let models = Models::open(&opened, &compute, arguments.reject, precision)?;
    let app = App::start(
        models,
        Options {
            audience: audience.clone(),
            names: arguments.names,
            runs: Runs::new(listed),
            collect: arguments.collect,
            teach,
            compute: arguments.computing.compute(),
            ..Options::default()
        },
    )?;
    let address = listener
        .local_addr()
        .map_err(|failure| Failure::failed(failure.to_string()))?;
    let stop = notified_of_signal();
    let page = format!("http://{address}/");
    // A result, though on stderr: with `--port 0` nothing else says where it is.
    warn(format_args!("serving on {page} (Ctrl-C ends)\n"));
    if arguments.open {
        open(&page, &audience);
    }
    serve(listener, &app, async move { stop.notified().await })?;
    drop(app);
    Ok(String::new())
}

/// Is notified by the first Ctrl-C or SIGTERM; the second one ends the process at once.
fn notified_of_signal() -> Arc<Notify> {
    stop_on_signal();
    let stop = Arc::new(Notify::new());
    let heard = stop.clone();
    // A flag that a signal sets wakes nobody: it is looked at.
    std::thread::spawn(move || {
        while interrupted().is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
        tell("\nfinishing what is under way; press Ctrl-C again to end at once\n");
        heard.notify_one();
    });
    stop
}

/// What lessons begin with.
fn backbone(named: Option<Architecture>, weights: Option<PathBuf>) -> Result<Backbone, Failure> {
    let store = Store::default();
    let architecture = match named {
        Some(architecture) => architecture,
        // If none is kept, the error says how to get this one.
        None => store
            .list()?
            .first()
            .map_or(Architecture::MobileNetV2, |kept| kept.architecture),
    };
    let weights = match weights {
        Some(path) if path.as_os_str() == "random" => None,
        Some(path) => Some(path),
        None => Some(store.find(architecture)?),
    };
    Ok(Backbone { architecture, weights })
}

/// Asks `/healthz`; in an empty container there is no other program that could.
fn check(host: &str, port: u16) -> Outcome {
    let within = Some(Duration::from_secs(5));
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((host, port))?;
        stream.set_read_timeout(within)?;
        stream.set_write_timeout(within)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(1 << 16).read_to_string(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => Ok("alive\n".into()),
        Ok(answer) => Err(Failure::failed(
            answer.lines().next().unwrap_or("no answer").to_string(),
        )),
        Err(failure) => Err(Failure::failed(format!("{host}:{port}: {failure}"))),
    }
}

/// Opens `page` in the browser of this machine; who has none opens it himself.
fn open(page: &str, audience: &Audience) {
    let page = match audience {
        Audience::Token(token) => format!("{page}#token={token}"),
        _ => page.to_string(),
    };
    let (program, arguments): (_, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let quiet = std::process::Stdio::null;
    let started = std::process::Command::new(Path::new(program))
        .args(arguments)
        .arg(&page)
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    if started.is_err() {
        tell(format_args!("note: no browser could be started ({program})\n"));
    }
}
