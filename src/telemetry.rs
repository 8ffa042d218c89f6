//! Logs and metrics. Message text, phone numbers and tool arguments are in neither.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// rmcp's lines below `error` carry arguments; sqlx's carry statements.
const QUIET: &str = "rmcp=error,sqlx=error,qdrant_edge=error,hyper=warn,h2=warn,tower=warn";

/// Logs to standard error: JSON for a server, plain for a person. `level` is for our own lines.
pub fn logs(level: &str, json: bool) {
    let filter = EnvFilter::new(format!("warn,sportello={level},{QUIET}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call in one process, as in tests, keeps the first.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}

/// Collects metrics for `/metrics`.
///
/// # Errors
/// When the buckets are not valid; they are constant.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&[
            0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ])?
        .build_recorder();
    let handle = recorder.handle();
    // A second recorder in one process, as in tests, collects nothing.
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}
