//! A server of its own in a folder that is removed afterwards: how soon it is ready, and what memory it takes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::app::{self, Remote, Talk};
use crate::commands::Failure;
use crate::domain::InboundContent;

/// Starts that are timed, after one that makes the index and fits the intents.
const STARTS: usize = 3;
/// The first start embeds the knowledge.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(5);

/// What was measured.
pub struct Measured {
    /// Milliseconds from start to ready, one number for each start.
    pub ready: Vec<f64>,
    /// Bytes of resident memory after some messages, with both encoders; none where the machine does not tell.
    pub resident: Option<u64>,
}

/// Serves the demo shop with both encoders, and asks it `messages`.
pub async fn measure(messages: &[String]) -> Result<Measured, Failure> {
    let folder = Folder::new();
    let mut measured = Measured {
        ready: Vec::new(),
        resident: None,
    };
    for start in 0..=STARTS {
        let started = Instant::now();
        let (mut server, url) = open(&folder.0).await?;
        until_ready(&url).await?;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        if start > 0 {
            measured.ready.push(milliseconds);
        }
        if start == 0 || start == STARTS {
            talk(&folder.0, messages).await?;
        }
        if start == STARTS {
            measured.resident = server.id().and_then(resident);
        }
        server.kill().await?;
    }
    Ok(measured)
}

/// Starts a server and waits until it tells its address.
async fn open(data: &Path) -> Result<(Child, String), Failure> {
    std::fs::create_dir_all(data)?;
    let log = data.join("log");
    let server = Command::new(std::env::current_exe()?)
        .env("SPORTELLO_EMBEDDING__ENCODER", "e5")
        .arg("--data")
        .arg(data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log)?)
        .kill_on_drop(true)
        .spawn()?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let said = std::fs::read_to_string(&log)?;
        let whole = said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let mut urls = whole.filter_map(|line| line.strip_prefix("Sportello is open at "));
        if let Some(url) = urls.next() {
            return Ok((server, url.trim().to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(late("did not open"))
}

async fn until_ready(url: &str) -> Result<(), Failure> {
    let address = format!("{url}readyz");
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let answer = reqwest::get(&address).await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(late("was not ready"))
}

async fn talk(data: &Path, messages: &[String]) -> Result<(), Failure> {
    let started = Instant::now();
    // The socket opens when the agent is there, after the doors.
    let mut server = Remote::find(data).await;
    while server.is_none() && started.elapsed() < PATIENCE {
        tokio::time::sleep(PAUSE).await;
        server = Remote::find(data).await;
    }
    let mut server = server.ok_or_else(|| late("could not be asked"))?;
    for text in messages {
        let talk = Talk {
            session: Uuid::now_v7().to_string(),
            phone: None,
            content: vec![InboundContent::Text { text: text.clone() }],
        };
        server.ask(&app::Command::Talk(talk), |_, _| {}).await?;
    }
    Ok(())
}

fn late(what: &str) -> Failure {
    Failure::Machine(format!("the server to be measured {what} in time"))
}

/// Resident memory of a process, where the system tells it.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("sportello-report-{}", Uuid::now_v7().simple());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
