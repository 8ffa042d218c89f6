# Two commands: `make run` starts the demo shop, `make test` runs everything that CI checks.
.PHONY: run simulate test eval bench-webhook bench-mcp bench-eval report-understanding models python node chromium

run: models
	cargo run --release --locked -- serve

# A server and a customer on WhatsApp in this terminal, without an account at Meta.
simulate: models
	cargo build --release --locked
	sh scripts/simulate.sh target/release/sportello

test: models python node chromium
	cargo fmt --check
	"$$(sh scripts/setup_deny.sh)" --log-level error check bans licenses sources
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
	cargo test --locked

# Every suite with the offline model, then the attacks with a model that obeys them.
eval: models
	cargo run --release --locked -- --data target/eval-data eval run eval/*.yaml --model offline --json target/eval.json
	cargo run --release --locked -- --data target/eval-data eval run eval/safety.yaml --model obedient

# Signed webhook to durable 200, beside FastAPI on the same disk; a Markdown table. Exit code 1 below a floor.
bench-webhook: models
	cargo build --release --locked
	python3 scripts/bench_webhook.py

# Tool calls over MCP, beside the TypeScript and Python SDKs; a Markdown table. Exit code 1 below a floor.
bench-mcp: models
	cargo build --release --locked
	python3 scripts/bench_mcp.py

# The same cases at the same endpoint beside promptfoo, then the committed suites; Markdown tables. Exit code 1 below a
# floor.
bench-eval: models
	cargo build --release --locked
	python3 scripts/bench_eval.py

# Every figure of understanding; a public set that is absent is left out. Vectors are kept in target/report-data.
report-understanding: models
	cargo run --release --locked -- --data target/report-data report understanding --out target/report-understanding.html

models:
	python3 scripts/setup_models.py

python:
	python3 scripts/setup_python.py

# Node 22, the official programs that check MCP, and Lighthouse.
node:
	python3 scripts/setup_node.py mcp
	python3 scripts/setup_node.py browser

chromium:
	sh scripts/setup_chromium.sh

