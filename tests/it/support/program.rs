//! The program itself, started as an engineer starts it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `sportello serve`.
pub struct Program {
    pub url: String,
    child: Child,
}

/// The program with the variables of this process that configure it taken away.
pub fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sportello"));
    for (name, _) in sportello::config::environment() {
        if name.starts_with("SPORTELLO_") && name != "SPORTELLO_MODELS" {
            command.env_remove(name);
        }
    }
    command
        .arg("--data")
        .arg(data)
        .args(arguments)
        .kill_on_drop(true);
    command
}

impl Program {
    /// Serves on a free port; none when it died before it was open.
    pub async fn serve(data: &Path, variables: &[(&str, &str)]) -> Option<Self> {
        let mut command = command(data, &["serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Self::start(command).await
    }

    /// Starts a command that serves.
    pub async fn start(mut command: Command) -> Option<Self> {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let opened = tokio::time::timeout(Duration::from_secs(60), async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("Sportello is open at ") {
                    return Some(url.trim_end_matches('/').to_owned());
                }
            }
            None
        });
        let url = opened.await.expect("the program opens within a minute")?;
        // What it goes on to say must be read, or the pipe fills up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { url, child })
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to stop and waits; the exit code.
    pub async fn stop(mut self) -> Option<i32> {
        let id = self.child.id()?;
        let killed = Command::new("kill")
            .arg(id.to_string())
            .status()
            .await
            .unwrap();
        assert!(killed.success());
        let status = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        status.expect("it stops in time").unwrap().code()
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
