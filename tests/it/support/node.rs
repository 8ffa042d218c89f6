//! The official programs that check MCP, on the Node that `scripts/setup_node.py` installs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

/// A folder with Node and packages.
pub struct Node {
    folder: PathBuf,
    home: TempDir,
}

/// What a program that ended has said.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub said: String,
}

impl Node {
    /// The folder of one of the script's sets; made on the first call, which needs the package indexes.
    pub async fn with(set: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup_node.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(set);
        let made = end(command).await;
        assert_eq!(made.code, Some(0), "{}", made.said);
        Self {
            folder: PathBuf::from(made.out.trim()),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs one of the packages' programs to its end.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Ended {
        let path = sportello::config::environment().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, path)| path).unwrap_or_default();
        let paths = std::iter::once(self.folder.join("bin")).chain(std::env::split_paths(&path));
        let mut command = Command::new(self.folder.join("node_modules/.bin").join(program));
        command
            .args(arguments)
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("HOME", self.home.path())
            .env("NO_COLOR", "1")
            .current_dir(self.home.path());
        end(command).await
    }

    /// Runs the scenarios that a revision requires. What fails or warns must be in the baseline, and
    /// nothing else may be in it. The names of the scenarios that count.
    pub async fn conformance(&self, url: &str, revision: &str, baseline: &Path) -> Vec<String> {
        let ended = self
            .run(
                "conformance",
                &[
                    "server",
                    "--url",
                    url,
                    "--requirements",
                    revision,
                    "--expected-failures",
                    baseline.to_str().unwrap(),
                ],
            )
            .await;
        let summary = ended.out.split("=== SUMMARY ===").nth(1);
        let summary = summary.unwrap_or_else(|| panic!("{}{}", ended.out, ended.said));
        assert_eq!(ended.code, Some(0), "{revision}:{summary}");
        self.required(revision).await
    }

    /// The scenarios that a revision requires of a server.
    async fn required(&self, revision: &str) -> Vec<String> {
        let packages = self.folder.join("node_modules/@modelcontextprotocol");
        let file = packages.join(format!("conformance/requirements/{revision}.yaml"));
        let text = tokio::fs::read_to_string(file).await.unwrap();
        text.lines()
            .skip_while(|line| *line != "server:")
            .skip(1)
            .map_while(|line| line.strip_prefix("  - "))
            .map(str::to_owned)
            .collect()
    }
}

async fn end(mut command: Command) -> Ended {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
