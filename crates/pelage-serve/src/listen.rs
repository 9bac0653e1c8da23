//! Connections: as many as are allowed, each within its times, and an end that does not wait for ever.

mod patient;
mod quiet;

use std::convert::Infallible;
use std::future::Future;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pelage::{Error, Result};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::app::App;
use patient::Patient;
use quiet::{Member, Quiet};

/// Bytes of a request's head.
const HEAD_BYTES: usize = 32 << 10;

/// Serves `app` until `stop` is done; then no connection is accepted, requests under way are finished within
/// [`crate::Limits::drain`], and the function returns.
///
/// # Errors
/// If the system gives no socket or timer.
pub fn serve(listener: TcpListener, app: &Arc<App>, stop: impl Future<Output = ()>) -> Result<()> {
    let failed = |source| Error::Io {
        path: "the server's socket".into(),
        source,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(failed)?;
    // What still runs when this returns is dropped with the runtime.
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let server = Arc::new(Server {
            router: TowerToHyperService::new(crate::router(app.clone())),
            app: app.clone(),
            free: Arc::new(Semaphore::new(app.options.limits.connections)),
            quiet: Quiet::default(),
        });
        select(pin!(server.accept(&listener)), pin!(stop)).await;
        drop(listener);
        app.stop();
        let all = app.options.limits.connections as u32;
        // Those that take longer are cut off.
        let _ = timeout(app.options.limits.drain, server.free.acquire_many(all)).await;
        Ok(())
    })
}

struct Server {
    router: TowerToHyperService<axum::Router>,
    app: Arc<App>,
    free: Arc<Semaphore>,
    quiet: Quiet,
}

impl Server {
    async fn accept(self: &Arc<Self>, listener: &tokio::net::TcpListener) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Too many open files, most likely. A client that has gone is an error too.
                    self.evict();
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            match self.place().await {
                Some(place) => {
                    tokio::spawn(self.clone().connection(stream, self.quiet.join(), place));
                }
                None => refuse(&stream),
            }
        }
    }

    /// Room for a connection, if need be that of one whose client asks nothing.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(place);
        }
        let wait = Duration::from_millis(100);
        match self.evict() {
            true => timeout(wait, self.free.clone().acquire_owned()).await.ok()?.ok(),
            false => None,
        }
    }

    fn evict(&self) -> bool {
        let evicted = self.quiet.evict();
        self.app.metrics.evicted.inc_by(u64::from(evicted));
        evicted
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, member: Arc<Member>, _place: OwnedSemaphorePermit) {
        let limits = &self.app.options.limits;
        let _open = Open::new(&self.app);
        // Without it small answers would wait for more to send.
        let _ = stream.set_nodelay(true);
        let spoke = AtomicBool::new(false);
        let service = hyper::service::service_fn(|request| {
            spoke.store(true, Ordering::Relaxed);
            let busy = member.busy();
            let answer = self.router.call(request);
            async move {
                let answer = answer.await?;
                // Until the last of the answer is on its way.
                Ok::<_, Infallible>(answer.map(|body| {
                    body.map_frame(move |frame| {
                        let _ = &busy;
                        frame
                    })
                }))
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(HEAD_BYTES);
        let io = TokioIo::new(Patient::new(stream, limits.unread));
        let mut connection = pin!(http.serve_connection(io, service));

        let mut stopping = self.app.stopping();
        let stopped = pin!(async { drop(stopping.wait_for(|stopping| *stopping).await) });
        let evicted = pin!(member.evicted());
        let disturbed = select(evicted, stopped);
        let first = select(connection.as_mut(), disturbed).await;
        let stopped = matches!(first, Either::Right((Either::Right(_), _)));
        drop(first);
        if stopped && spoke.load(Ordering::Relaxed) {
            connection.as_mut().graceful_shutdown();
            // A connection that breaks is its client's matter.
            let _ = connection.await;
        }
    }
}

/// Counts a connection as long as it lives.
struct Open<'a>(&'a App);

impl Open<'_> {
    fn new(app: &App) -> Open<'_> {
        app.metrics.connections.inc();
        Open(app)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}

/// Says so, if it can be said at once.
fn refuse(stream: &TcpStream) {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = stream.try_write(answer);
}
