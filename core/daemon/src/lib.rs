//! Process scaffolding: configuration, telemetry, metrics, tasks, backoff, key files.
