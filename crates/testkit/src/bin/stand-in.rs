//! A stand-in for model providers as a process of its own.
#![expect(clippy::print_stdout, reason = "the first line says where it listens")]

use std::net::SocketAddr;

use clap::Parser;
use mainstay_testkit::StandIn;
use serde_json::json;

/// Speaks the APIs of OpenAI, Anthropic and Gemini without a model behind them. Prints one line of JSON when it listens:
/// `url`, and the base URL of each API.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let stand_in = StandIn::new();
        let url = format!("http://{}", stand_in.listen(args.listen).await?);
        let line = json!({
            "url": url,
            "openai": format!("{url}/openai/v1"),
            "compatible": format!("{url}/compatible/v1"),
            "anthropic": format!("{url}/anthropic"),
            "gemini": format!("{url}/gemini"),
        });
        println!("{line}");
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}
