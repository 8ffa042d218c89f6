//! `sportello mcp`: MCP on standard input and output.

use tokio_util::sync::CancellationToken;
use url::Url;

use super::session::{Session, public_url};
use super::{Failure, Shared};
use crate::app::mcp_state;
use crate::mcp::serve_stream;
use crate::telemetry;

/// Serves one client until it closes its end.
pub async fn run(shared: Shared) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let url =
        Url::parse(&public_url(&shared)).map_err(|error| Failure::Wrong(error.to_string()))?;
    match Session::open(shared).await? {
        Session::Remote(remote) => {
            let (mut reader, mut writer) = remote.mcp().await?;
            let mut stdin = tokio::io::stdin();
            let mut stdout = tokio::io::stdout();
            let up = async {
                tokio::io::copy(&mut stdin, &mut writer).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut writer).await
            };
            let down = tokio::io::copy(&mut reader, &mut stdout);
            let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
            // The server may end first; the client's end stays open then.
            tokio::select! {
                sent = &mut up => {
                    sent?;
                    down.await?;
                }
                received = &mut down => drop(received?),
            }
            Ok(())
        }
        Session::Local(local) => {
            let served = serve_stream(
                mcp_state(&local.app, url, CancellationToken::new()),
                tokio::io::stdin(),
                tokio::io::stdout(),
            )
            .await;
            local.close().await;
            served.map_err(|error| Failure::Machine(error.to_string()))
        }
    }
}
