//! The program itself, started as an engineer starts it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

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

/// What a command that ended has said.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub said: String,
}

impl Ended {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Standard output as lines of JSON.
    pub fn lines(&self) -> Vec<Value> {
        let read =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "exit {:?}\n{}\n{}",
            self.code, self.out, self.said
        )
    }
}

/// Runs a command to its end, with variables and standard input.
pub async fn run(
    data: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: impl AsRef<[u8]>,
) -> Ended {
    let mut child = command(data, arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // A command that does not read must not stop us.
    let writing = tokio::spawn(async move { drop(stdin.write_all(&input).await) });
    let ended = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output()).await;
    let ended = ended.expect("it ends within two minutes").unwrap();
    writing.await.unwrap();
    Ended {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        said: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

/// Runs `eval` in the folder that evaluations share; what was embedded for the runs before is still there.
pub async fn eval(arguments: &[&str]) -> Ended {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evaluation");
    run(&data, &[&["eval"], arguments].concat(), &[], "").await
}

/// A data folder in which the demo shop is indexed and its intents are fitted: a copy of one that is made
/// once and kept between runs.
pub async fn warm() -> TempDir {
    static MADE: OnceCell<PathBuf> = OnceCell::const_new();
    let template = MADE
        .get_or_init(|| async {
            let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warm");
            if run(&template, &["index"], &[], "").await.code != Some(0) {
                std::fs::remove_dir_all(&template).unwrap();
                let made = run(&template, &["index"], &[], "").await;
                assert_eq!(made.code, Some(0), "{made}");
            }
            template
        })
        .await;
    let folder = tempfile::tempdir().unwrap();
    copy(template, folder.path());
    folder
}

/// Copies what is in a folder into another.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits until something holds, for at most 40 seconds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "waited too long until {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One number out of the database of a data folder, asked beside whoever uses it.
pub async fn number(data: &Path, query: &'static str) -> i64 {
    let url = format!("sqlite://{}", data.join("sportello.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let number = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
    pool.close().await;
    number
}

/// The texts of a query's one column, asked beside whoever uses the database.
pub async fn column(data: &Path, query: &'static str) -> Vec<String> {
    let url = format!("sqlite://{}", data.join("sportello.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let texts = sqlx::query_scalar(query).fetch_all(&pool).await.unwrap();
    pool.close().await;
    texts
}
