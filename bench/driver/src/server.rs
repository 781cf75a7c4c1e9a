//! A server that is measured: started for it, and ended when it is dropped.

use crate::{
    Bench,
    client::Client,
    upstream::{self, Upstream},
};
use anyhow::{Context, Result};
use std::{
    fs::File,
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

pub struct Server {
    pub address: SocketAddr,
    pub pid: u32,
    _child: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub async fn ours(bench: &Bench, url: &str) -> Result<Self> {
        Self::ours_with(bench, url, &[]).await
    }

    /// With these settings beside the usual ones.
    pub async fn ours_with(bench: &Bench, url: &str, settings: &[(&'static str, String)]) -> Result<Self> {
        let mut command = Command::new(&bench.cli.ours);
        command.arg("serve").env("BAILIWICK_BIND", "127.0.0.1:0").env("BAILIWICK_DATABASE_URL", url);
        // Counted, and never too many.
        command.env("BAILIWICK_CALLS_PER_MINUTE", "100000000");
        bench.settings(&mut command);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        Self::start(bench, "ours", command).await
    }

    pub async fn ceiling(bench: &Bench, url: &str) -> Result<Self> {
        let mut command = Command::new(&bench.cli.ceiling);
        command.arg(url);
        Self::start(bench, "ceiling", command).await
    }

    pub async fn forwarder(bench: &Bench, upstream: &Upstream) -> Result<Self> {
        let mut command = Command::new(&bench.cli.forwarder);
        command.args([upstream.address.to_string(), upstream::host("api")]).arg(&upstream.root);
        Self::start(bench, "forwarder", command).await
    }

    async fn start(bench: &Bench, name: &str, mut command: Command) -> Result<Self> {
        let log = bench.cli.dir.join(format!("{name}.log"));
        let child = command.kill_on_drop(true).stdout(Stdio::piped()).stderr(File::create(&log)?).spawn();
        let mut child = child.with_context(|| format!("{name} does not start"))?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line =
            timeout(Duration::from_secs(60), output.next_line()).await.context("it does not listen")??;
        let line = line.with_context(|| format!("{name} ended: see {}", log.display()))?;
        let address = line.rsplit_once("http://").context("an address")?.1.parse()?;
        let pid = child.id().context("it has ended")?;
        Ok(Self { address, pid, _child: child, _output: output })
    }

    /// From nothing to the answer to this path.
    pub async fn time_to_answer(
        start: impl Future<Output = Result<Self>>,
        path: &str,
    ) -> Result<(Self, Duration)> {
        let began = Instant::now();
        let server = start.await?;
        let answer = Client::connect(server.address).await?.get(path).await?;
        anyhow::ensure!(answer.status.is_success(), "{path} answers {}", answer.status);
        Ok((server, began.elapsed()))
    }
}
