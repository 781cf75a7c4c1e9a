//! One running application, on a thread of its own as actix wants it.

use super::WAIT_TIMEOUT;
use super::product::{Application, Clock, Config, Counter, Transcript};
use std::{
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub struct Node {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    pub statements: Counter,
    pub hashes: Counter,
    pub transcript: Transcript,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub async fn start(config: Config, clock: Clock) -> Self {
        let (tell, told) = tokio::sync::oneshot::channel();
        let thread = thread::Builder::new().name("app".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let application = match Application::build(config, clock).await {
                    Ok(application) => application,
                    Err(error) => {
                        tell.send(Err(format!("{error:?}"))).ok();
                        return;
                    }
                };
                let facts = (
                    application.address().expect("a port"),
                    application.metrics_address(),
                    application.statements(),
                    application.hashes(),
                    application.transcript(),
                    application.handle(),
                );
                tell.send(Ok(facts)).ok();
                application.run().await.unwrap();
            });
        });
        let (address, metrics, statements, hashes, transcript, handle) = told
            .await
            .unwrap_or_else(|_| panic!("the application panicked while starting"))
            .unwrap_or_else(|error| panic!("the application did not start: {error}"));
        Self { address, metrics, statements, hashes, transcript, handle, thread: Some(thread.unwrap()) }
    }

    /// Stops as on SIGTERM: requests that are being answered are answered.
    pub async fn stop(mut self) {
        self.handle.stop(true).await;
        let thread = self.thread.take().unwrap();
        tokio::task::spawn_blocking(move || wait_for(thread)).await.unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The command is sent when `stop` is called; its future only waits for the answer.
            drop(self.handle.stop(false));
            wait_for(thread);
        }
    }
}

fn wait_for(thread: JoinHandle<()>) {
    let started = Instant::now();
    while !thread.is_finished() {
        if started.elapsed() > WAIT_TIMEOUT {
            eprintln!("the application did not stop within {WAIT_TIMEOUT:?}");
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    if thread.join().is_err() && !thread::panicking() {
        panic!("the application panicked");
    }
}
