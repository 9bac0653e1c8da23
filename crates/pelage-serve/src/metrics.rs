//! Counts and times for Prometheus.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Cause;

type Labels<const N: usize> = [(&'static str, String); N];

/// The counts of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram>,
    refusals: Family<Labels<1>, Counter>,
    /// Pictures that wait or are computed.
    pub(crate) waiting: Gauge,
    /// Pictures in a forward pass.
    pub(crate) batches: Histogram,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections that were closed to make room, before they sent a request.
    pub(crate) evicted: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let latencies: fn() -> Histogram = || {
            Histogram::new([
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
            ])
        };
        let mut metrics = Metrics {
            registry: Registry::with_prefix("pelage"),
            requests: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            refusals: Family::default(),
            waiting: Gauge::default(),
            batches: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
            connections: Gauge::default(),
            evicted: Counter::default(),
        };
        // Zero before the first one, so that a rate can be told.
        for cause in Cause::ALL {
            drop(metrics.refusals.get_or_create(&[("cause", cause.name().into())]));
        }
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests, by route and status", metrics.requests.clone());
        let seconds = metrics.seconds.clone();
        registry.register_with_unit("request", "Time to an answer, by route", Unit::Seconds, seconds);
        registry.register("refusals", "Refused requests, by cause", metrics.refusals.clone());
        registry.register(
            "waiting_pictures",
            "Pictures that wait or are computed",
            metrics.waiting.clone(),
        );
        registry.register("batch_pictures", "Pictures in a forward pass", metrics.batches.clone());
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register(
            "evicted_connections",
            "Connections closed to make room, before they sent a request",
            metrics.evicted.clone(),
        );
        metrics
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: &str, status: StatusCode, cause: Option<Cause>, took: Duration) {
        let (route, status) = (("route", route.to_string()), ("status", status.as_str().to_string()));
        self.requests.get_or_create(&[route.clone(), status]).inc();
        self.seconds.get_or_create(&[route]).observe(took.as_secs_f64());
        if let Some(cause) = cause {
            self.refusals.get_or_create(&[("cause", cause.name().into())]).inc();
        }
    }

    /// As Prometheus reads them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
