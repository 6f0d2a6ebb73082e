//! What is counted, in the words of Prometheus.

use std::fmt::Error;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Every number of the server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    models: ByModel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    model: String,
}

#[derive(Clone, Debug)]
struct ByModel {
    waiting: Family<Named, Gauge>,
    refused: Family<Named, Counter>,
    left: Family<Named, Counter>,
    rows: Family<Named, Counter>,
    tokens: Family<Named, Counter>,
    prompt_tokens: Family<Named, Counter>,
    batch: Family<Named, Histogram, fn() -> Histogram>,
    computing: Family<Named, Histogram, fn() -> Histogram>,
}

/// The numbers of one model.
#[derive(Clone, Debug)]
pub struct OfModel {
    /// Requests in the queue.
    pub waiting: Gauge,
    /// Requests for which there was no room in it.
    pub refused: Counter,
    /// Requests whose clients left before the answer.
    pub left: Counter,
    /// Rows that were answered for.
    pub rows: Counter,
    /// Tokens that were written.
    pub tokens: Counter,
    /// Tokens of prompts.
    pub prompt_tokens: Counter,
    /// Rows, or texts, that were computed together.
    pub batch: Histogram,
    /// How long that took, in seconds.
    pub computing: Histogram,
}

/// From a tenth of a millisecond to over three minutes.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 22))
}

fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 12))
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let seconds_of: Family<Route, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(seconds);
        let models = ByModel {
            waiting: Family::default(),
            refused: Family::default(),
            left: Family::default(),
            rows: Family::default(),
            tokens: Family::default(),
            prompt_tokens: Family::default(),
            batch: Family::new_with_constructor(sizes),
            computing: Family::new_with_constructor(seconds),
        };
        let mut registry = Registry::with_prefix("fireclay");
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register(
            "request_seconds",
            "From the head of a request to the head of its answer",
            seconds_of.clone(),
        );
        models.register(&mut registry);
        Self {
            registry,
            requests,
            seconds: seconds_of,
            models,
        }
    }
}

impl ByModel {
    fn register(&self, registry: &mut Registry) {
        let names = [
            (
                "refused",
                "Requests that found the queue full",
                &self.refused,
            ),
            ("left", "Requests whose clients left", &self.left),
            ("rows", "Rows that were answered for", &self.rows),
            ("tokens", "Tokens that were written", &self.tokens),
            ("prompt_tokens", "Tokens of prompts", &self.prompt_tokens),
        ];
        for (name, help, family) in names {
            registry.register(name, help, family.clone());
        }
        let help = "Requests that wait in the queue";
        registry.register("waiting", help, self.waiting.clone());
        let help = "Rows or texts that were computed together";
        registry.register("batch_size", help, self.batch.clone());
        let help = "How long they took, for texts a token of each";
        registry.register("computing_seconds", help, self.computing.clone());
    }
}

impl Metrics {
    /// The numbers of the model of this name.
    pub fn of_model(&self, name: &str) -> OfModel {
        let named = Named {
            model: name.to_owned(),
        };
        let models = &self.models;
        OfModel {
            waiting: models.waiting.get_or_create_owned(&named),
            refused: models.refused.get_or_create_owned(&named),
            left: models.left.get_or_create_owned(&named),
            rows: models.rows.get_or_create_owned(&named),
            tokens: models.tokens.get_or_create_owned(&named),
            prompt_tokens: models.prompt_tokens.get_or_create_owned(&named),
            batch: models.batch.get_or_create_owned(&named),
            computing: models.computing.get_or_create_owned(&named),
        }
    }

    /// Counts a request.
    pub fn count(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        let request = Request {
            route: route.clone(),
            status,
        };
        self.requests.get_or_create(&request).inc();
        let seconds = self.seconds.get_or_create(&Route { route });
        seconds.observe(took.as_secs_f64());
    }

    /// All numbers as text.
    ///
    /// # Errors
    ///
    /// If a number cannot be written.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
