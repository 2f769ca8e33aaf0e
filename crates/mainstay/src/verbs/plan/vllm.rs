//! A row of measurements from what a vLLM says of itself at `/metrics`.
//!
//! Means of vLLM's histograms between two readings of the same process, or since it started; requests in flight are the mean of a gauge
//! over the readings, so it must be read while it works. The time that requests waited for a place in the batch is taken out of the time to
//! the first token: the service-time model is about the replica, the queue before it is planned apart.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use mainstay_decisions::measured::{Reading, Samples, Series};
use mainstay_domain::Clock;

use crate::client::{Client, ClientError};
use crate::compose;
use crate::terminal::{self, BadInput};

/// Where a vLLM tells its metrics, and what they do not tell.
#[derive(Args)]
pub(super) struct VllmArgs {
    /// The address of a vLLM, which is read for --seconds, or a file with the text of its /metrics; two files are an earlier and a later
    /// reading. What they say becomes a row of FILE.
    #[arg(long, value_name = "URL|FILE", num_args = 1..=2, requires = "gpu")]
    vllm: Vec<String>,
    /// The GPU that it runs on, as `mainstay plan catalogue` lists it.
    #[arg(long, value_name = "GPU", requires = "vllm")]
    gpu: Option<String>,
    /// How many of them each layer is split over.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    gpus: u32,
    /// The number format of the weights: bf16, fp8, fp4, int4.
    #[arg(long, value_name = "FORMAT", default_value = "bf16")]
    precision: String,
    /// The model, where vLLM serves it under another name than the catalogue's.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// For how long an address is read.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
}

/// Readings of an address.
const READINGS: u32 = 12;

/// From this share of prompts in vLLM's own cache on, times say little about prompts of that length.
const MUCH_CACHED: f64 = 0.1;

const HEADER: &str =
    "id,backend,model_path,system,precision,mode,isl,osl,batch_size,tp_size,silicon_ttft_ms,silicon_tpot_ms";

impl VllmArgs {
    pub(super) const fn is_asked(&self) -> bool {
        !self.vllm.is_empty()
    }

    /// Adds what vLLM says to the rows of a file, which is made where it is not there.
    pub(super) fn add_row(&self, rows: &Path) -> anyhow::Result<()> {
        let readings = self.readings()?;
        let row = self.row(&readings)?;
        let known = if rows.exists() {
            let text =
                fs::read_to_string(rows).with_context(|| format!("{} cannot be read", rows.display()))?;
            let header = text.lines().next().unwrap_or_default().trim().to_owned();
            if header != HEADER {
                let message = format!(
                    "{} has other columns than a row of vLLM's metrics; name a new file",
                    rows.display()
                );
                return Err(BadInput(message).into());
            }
            true
        } else {
            false
        };
        let mut file = fs::OpenOptions::new().append(true).create(true).open(rows)?;
        let head = if known { String::new() } else { format!("{HEADER}\n") };
        writeln!(file, "{head}{row}").with_context(|| format!("{} cannot be written", rows.display()))?;
        terminal::complain(format_args!("added to {}: {row}", rows.display()));
        Ok(())
    }

    fn readings(&self) -> anyhow::Result<Vec<Samples>> {
        let texts = match self.vllm.as_slice() {
            [url] if url.starts_with("http://") || url.starts_with("https://") => {
                self.read_for_a_while(url)?
            }
            files => {
                let read = |file: &String| {
                    fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))
                };
                files.iter().map(read).collect::<anyhow::Result<_>>()?
            }
        };
        Ok(texts.iter().map(|text| Samples::parse(text)).collect())
    }

    fn read_for_a_while(&self, url: &str) -> anyhow::Result<Vec<String>> {
        let base = url.trim_end_matches('/').trim_end_matches("/metrics");
        let client = Client::new(base, "", None);
        let clock = Clock::system();
        // What the client says is about a Mainstay; only its last cause is about this.
        let unread = |error: ClientError| {
            anyhow!(
                "no vLLM tells its metrics at {base}/metrics: {}",
                anyhow::Error::from(error).root_cause()
            )
        };
        let pause = Duration::from_secs(self.seconds) / (READINGS - 1);
        compose::runtime()?.block_on(async {
            let mut texts = Vec::new();
            for reading in 0..READINGS {
                if reading > 0 {
                    clock.sleep(pause).await;
                }
                texts.push(client.get_text("/metrics").await.map_err(unread)?);
            }
            Ok(texts)
        })
    }

    fn row(&self, readings: &[Samples]) -> Result<String, BadInput> {
        let bad = |problem: &str| BadInput(format!("{}: {problem}", self.vllm.join(", ")));
        let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
            return Err(bad("nothing was read"));
        };
        if !last.has("vllm:time_to_first_token_seconds") {
            return Err(bad("these are no metrics of vLLM: vllm:time_to_first_token_seconds is missing"));
        }
        let between = if readings.len() > 1 { last.since(first) } else { last.clone() };
        let mean = |histogram: &'static str| between.read(&Reading::Mean { histogram, scale: 1.0 });
        let needed = |value: Option<f64>, what: &str| {
            value.ok_or_else(|| {
                bad(&format!("no answer ended while it was read, so nothing is known of {what}"))
            })
        };
        let first_token = needed(mean("vllm:time_to_first_token_seconds"), "the first token")?;
        let waited = mean("vllm:request_queue_time_seconds").unwrap_or(0.0);
        // The name of the same time in three versions of vLLM, the one per answer first.
        let each = [
            "vllm:request_time_per_output_token_seconds",
            "vllm:time_per_output_token_seconds",
            "vllm:inter_token_latency_seconds",
        ];
        let each = needed(each.into_iter().find_map(mean), "the time per token")?;
        let prompt = needed(mean("vllm:request_prompt_tokens"), "the length of prompts")?;
        let answer = needed(mean("vllm:request_generation_tokens"), "the length of answers")?;
        let running = Reading::Sum(Series::all("vllm:num_requests_running"));
        let running: Vec<f64> = readings.iter().filter_map(|reading| reading.read(&running)).collect();
        let running = running.iter().sum::<f64>() / running.len().max(1) as f64;
        if running < 0.5 {
            return Err(bad(
                "no request ran when it was read (vllm:num_requests_running): read it while it works",
            ));
        }
        let cached = between.read(&Reading::Ratio {
            of: Series::all("vllm:prefix_cache_hits_total"),
            among: Series::all("vllm:prefix_cache_queries_total"),
            scale: 1.0,
        });
        if let Some(share) = cached.filter(|share| *share > MUCH_CACHED) {
            terminal::complain(format_args!(
                "note: {:.0} % of the prompts' tokens came from vLLM's cache, so first tokens come sooner than for new prompts",
                share * 100.0
            ));
        }
        let models = last.labels("vllm:num_requests_running", "model_name");
        let model = match (&self.model, models.iter().collect::<Vec<_>>().as_slice()) {
            (Some(model), _) => model.clone(),
            (None, [model]) => (**model).to_owned(),
            (None, _) => return Err(bad("it does not name one model: say --model")),
        };
        let milliseconds = |seconds: f64| seconds.max(1e-6) * 1e3;
        Ok(format!(
            "vllm_{model}_c{running:.0},vllm,{model},{},{},agg,{:.0},{:.0},{:.0},{},{:.3},{:.3}",
            self.gpu.as_deref().unwrap_or_default(),
            self.precision,
            prompt.max(1.0),
            answer.max(1.0),
            running.max(1.0),
            self.gpus,
            milliseconds(first_token - waited),
            milliseconds(each),
        ))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_sizing::{Catalogue, read_rows};

    use super::*;

    fn args() -> VllmArgs {
        VllmArgs {
            vllm: vec!["metrics".to_owned()],
            gpu: Some("h200_sxm".to_owned()),
            gpus: 2,
            precision: "fp8".to_owned(),
            model: None,
            seconds: 1,
        }
    }

    /// So many answers since the start, of 1,000 tokens each on 200, 40 ms a token, the first after .5 s of which .1 in the queue.
    fn metrics(answers: f64, running: f64) -> Samples {
        let model = r#"{engine="0",model_name="meta-llama/Llama-3.1-70B-Instruct"}"#;
        let histogram = |name: &str, each: f64| {
            format!(
                "vllm:{name}_sum{model} {}\nvllm:{name}_count{model} {answers}\nvllm:{name}_bucket{{le=\"+Inf\"}} {answers}\n",
                each * answers
            )
        };
        Samples::parse(&format!(
            "{}{}{}{}{}vllm:num_requests_running{model} {running}\n",
            histogram("time_to_first_token_seconds", 0.5),
            histogram("request_queue_time_seconds", 0.1),
            histogram("inter_token_latency_seconds", 0.04),
            histogram("request_prompt_tokens", 1_000.0),
            histogram("request_generation_tokens", 200.0),
        ))
    }

    #[test]
    fn what_lies_between_two_readings_becomes_a_row_that_can_be_read() {
        let row = args().row(&[metrics(10.0, 6.0), metrics(110.0, 10.0)]).unwrap();
        let text = format!("{HEADER}\n{row}\n");
        let rows = read_rows(&text, Catalogue::built_in()).unwrap();
        let row = rows[0].as_ref().unwrap();
        assert_eq!((row.load.input_tokens, row.load.output_tokens, row.load.concurrency), (1_000, 200, 8));
        assert_eq!((row.ttft_ms, row.tpot_ms), (Some(400.0), Some(40.0)));
        assert_eq!(row.deployment.serving.decode().gpus(), 2);
    }

    /// What a vLLM 0.32 said of itself (on CPUs, with a model of random weights) after 13 answers of at most 64 tokens, and 4 on
    /// their way.
    const VLLM_0_32: &str = include_str!("readings/vllm-0.32.txt");

    #[test]
    fn what_a_real_vllm_says_is_understood() {
        let asked = VllmArgs { model: Some("llama-3.1-8b".to_owned()), gpus: 1, ..args() };
        let row = asked.row(&[Samples::parse(VLLM_0_32)]).unwrap();
        let rows = read_rows(&format!("{HEADER}\n{row}\n"), Catalogue::built_in()).unwrap();
        let row = rows[0].as_ref().unwrap();
        assert_eq!((row.load.input_tokens, row.load.output_tokens, row.load.concurrency), (98, 60, 4));
        let (ttft, tpot) = (row.ttft_ms.unwrap(), row.tpot_ms.unwrap());
        // 1.725 s for 17 first tokens, of which .3 ms were waited for in all; .125 s for 13 answers.
        assert!((ttft - 101.4).abs() < 0.1 && (tpot - 9.61).abs() < 0.01, "{ttft} {tpot}");
    }

    #[test]
    fn an_engine_that_rests_and_metrics_of_something_else_are_refused() {
        let refused = |readings: &[Samples]| args().row(readings).unwrap_err().to_string();
        assert!(refused(&[metrics(10.0, 0.0)]).contains("read it while it works"));
        assert!(refused(&[metrics(10.0, 3.0), metrics(10.0, 3.0)]).contains("no answer ended"));
        assert!(refused(&[Samples::parse("up 1\n")]).contains("no metrics of vLLM"));
    }
}
