//! Atomic batches of NATS: messages to many subjects, each with its own expectation, which the
//! server takes together or not at all.
//!
//! They bound the product's group commit, with nothing around them. The protocol is that of NATS's
//! ADR-50, for servers from 2.12 on.

use super::ENTRY_BYTES;
use anyhow::{Context, ensure};
use async_nats::HeaderMap;
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
};
use bytes::Bytes;
use paihao_chassis::entropy;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Acknowledgement of a batch.
#[derive(Deserialize)]
struct BatchAck {
    /// Sequence of its last message.
    seq: Option<u64>,
    count: Option<u64>,
}

/// Publishes batches one after the other for a time, and returns the messages a second.
pub async fn rate(
    url: &str,
    stream: &str,
    messages: usize,
    sites: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let client = async_nats::connect(url).await?;
    let configuration = json!({
        "name": stream,
        "subjects": [format!("{stream}.>")],
        "storage": "file",
        "num_replicas": 1,
        "allow_atomic": true,
    });
    let create = format!("$JS.API.STREAM.CREATE.{stream}");
    let created = client.request(create, serde_json::to_vec(&configuration)?.into()).await?;
    let created: serde_json::Value = serde_json::from_slice(&created.payload)?;
    ensure!(created["config"]["allow_atomic"] == true, "no atomic batches: {created}");
    let payload = Bytes::from(vec![b'x'; ENTRY_BYTES]);
    let mut newest = vec![0; sites.max(messages)];
    let mut next = (0..newest.len()).cycle();
    let (begun, mut published) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let batch = entropy::uuid().to_string();
        let of_batch: Vec<usize> = next.by_ref().take(messages).collect();
        for (index, site) in of_batch.iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_BATCH_ID, batch.as_str());
            headers.insert(NATS_BATCH_SEQUENCE, (index + 1).to_string());
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, newest[*site].to_string());
            let subject = format!("{stream}.{site}");
            if index + 1 < messages {
                client.publish_with_headers(subject, headers, payload.clone()).await?;
                continue;
            }
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            let ack = client.request_with_headers(subject, headers, payload.clone()).await?;
            let ack: BatchAck = serde_json::from_slice(&ack.payload)
                .with_context(|| format!("{:?}", ack.payload))?;
            let last = ack.seq.context("a batch was not taken")?;
            ensure!(ack.count.is_none_or(|count| count == messages as u64), "a part of a batch");
            for (index, site) in of_batch.iter().enumerate() {
                newest[*site] = last + 1 + index as u64 - messages as u64;
            }
        }
        published += messages;
    }
    Ok(published as f64 / begun.elapsed().as_secs_f64())
}
