//! What a download takes of memory.

use super::behaviour::add_traffic;
use crate::support::*;

/// 32 MiB, in KiB.
const MAX_KIB: usize = 32 * 1024;

both! {
    // Breaks when a download reads its list at once, or where a body is put together before it is handed on.
    async fn a_long_download_takes_hardly_more_memory_than_a_short_one(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let secret = key.secret.clone().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let program = Program::serve(&app.database, dir.path(), &[]).await;
        let url = format!("{}/api/sso/v1/exports/traffic", program.url());
        let download = async || {
            let request = reqwest::Client::new().get(&url).bearer_auth(&secret);
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            let (mut bytes, mut most) = (0, 0);
            while let Some(part) = response.chunk().await.unwrap() {
                bytes += part.len();
                most = most.max(program.memory());
            }
            (bytes, most)
        };
        add_traffic(&app, 3_000, "/short").await;
        let (_, before) = download().await;

        add_traffic(&app, 100_000, &format!("/{}", "x".repeat(400))).await;
        let (bytes, most) = download().await;

        assert!(bytes > 40_000_000, "only {bytes} bytes came");
        let more = most.saturating_sub(before);
        assert!(more < MAX_KIB, "{more} KiB more for {bytes} bytes");
    }
}
