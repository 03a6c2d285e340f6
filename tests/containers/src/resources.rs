//! Memory and processor time of the containers, at rest and while people scan.

use crate::clients::{permanent_codes, scan};
use crate::compose::{Deployment, docker};
use crate::report::{LoadUsage, Usage};
use anyhow::Context;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Scans a second under load.
const SCANS_PER_SECOND: u32 = 500;
/// Length of the load before and after the measurement begins.
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(15);

/// Measures every container for a while: the mean of several samples.
pub async fn measure(deployment: &Deployment, length: Duration) -> anyhow::Result<Vec<Usage>> {
    let mut names = BTreeMap::new();
    for container in deployment.containers().await? {
        let count = names.values().filter(|name: &&String| name.starts_with(&container.service));
        let name = match (container.service.as_str(), count.count()) {
            (service @ ("gateway" | "token" | "notifier"), earlier) => {
                format!("{service} {}", earlier + 1)
            }
            (service, _) => service.to_owned(),
        };
        names.insert(container.id, name);
    }
    let mut samples: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let started = Instant::now();
    while started.elapsed() < length {
        // It looks twice, a second apart.
        let format = "{{.ID}} {{.CPUPerc}} {{.MemUsage}}";
        let ids = names.keys().map(String::as_str);
        let command: Vec<_> =
            ["stats", "--no-stream", "--format", format].into_iter().chain(ids).collect();
        for line in docker(&command).await?.lines() {
            let (id, cpu, memory) =
                parse_sample(line).with_context(|| format!("docker stats says {line}"))?;
            let name = names.get(id).context("a container that is none of ours")?;
            samples.entry(name.clone()).or_default().push((cpu, memory));
        }
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let usage = samples.into_iter().map(|(container, samples)| Usage {
        container,
        memory_mib: mean(samples.iter().map(|sample| sample.1).collect()),
        cpu_percent: mean(samples.iter().map(|sample| sample.0).collect()),
    });
    Ok(usage.collect())
}

/// Reads `ID 1.5% 12.3MiB / 1GiB`.
fn parse_sample(line: &str) -> Option<(&str, f64, f64)> {
    let mut words = line.split_whitespace();
    let (id, cpu, memory) = (words.next()?, words.next()?, words.next()?);
    let units = [("KiB", 1.0 / 1024.0), ("MiB", 1.0), ("GiB", 1024.0)];
    let memory = units
        .iter()
        .find_map(|(unit, factor)| Some(memory.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    Some((id, cpu.strip_suffix('%')?.parse().ok()?, memory?))
}

/// Measures while people scan at a fixed rate, whether those before were answered or not.
pub async fn measure_under_load(deployment: &Deployment) -> anyhow::Result<LoadUsage> {
    eprintln!("== {SCANS_PER_SECOND} scans a second");
    let codes = permanent_codes(deployment).await?;
    let mut scans = JoinSet::new();
    let started = Instant::now();
    let load = async {
        let mut due = tokio::time::interval(Duration::from_secs(1) / SCANS_PER_SECOND);
        let mut person = 0;
        while started.elapsed() < WARM_UP + MEASURED {
            due.tick().await;
            let (deployment, code) = (deployment.clone(), codes[person % codes.len()].clone());
            person += 1;
            scans.spawn(async move {
                let sent = Instant::now();
                let openid = format!("oLoad{person:06}");
                let number = scan(&deployment, &openid, &code).await;
                (sent.elapsed(), number.is_ok_and(|number| number.is_some()))
            });
        }
    };
    let measuring = async {
        tokio::time::sleep(WARM_UP).await;
        measure(deployment, MEASURED - Duration::from_secs(3)).await
    };
    let ((), usage) = tokio::join!(load, measuring);
    let answers = scans.join_all().await;
    let length = started.elapsed().as_secs_f64();
    let mut times: Vec<_> = answers.iter().filter(|(_, ok)| *ok).map(|(time, _)| *time).collect();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    Ok(LoadUsage {
        wanted_per_second: SCANS_PER_SECOND,
        reached_per_second: times.len() as f64 / length,
        median: at(0.5).unwrap_or_default(),
        slowest_percent: at(0.99).unwrap_or_default(),
        usage: usage?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_stats_is_read() {
        assert_eq!(parse_sample("0f3a 1.50% 12.5MiB / 23.5GiB"), Some(("0f3a", 1.5, 12.5)));
        assert_eq!(parse_sample("0f3a 0.00% 512KiB / 1GiB"), Some(("0f3a", 0.0, 0.5)));
        assert_eq!(parse_sample("0f3a 120.00% 1.5GiB / 2GiB"), Some(("0f3a", 120.0, 1536.0)));
        assert_eq!(parse_sample("0f3a -- -- / --"), None);
    }
}
