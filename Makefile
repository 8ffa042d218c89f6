# Two commands: `make run` starts the demo shop, `make test` runs everything that CI checks.
.PHONY: run simulate test eval suites baseline record-demo bench-webhook bench-mcp bench-eval report-understanding models python node chromium

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
	$(MAKE) suites SPORTELLO=target/debug/sportello

# Every suite with the offline model beside the baseline, the attacks with a model that obeys them, and the demo's
# recordings. Reports in target/eval.
eval: models
	cargo build --release --locked
	$(MAKE) suites SPORTELLO=target/release/sportello

suites:
	$(SPORTELLO) --data target/eval-data eval run eval/*.yaml --model offline --baseline eval/baseline.json --out target/eval
	$(SPORTELLO) --data target/eval-data eval run eval/safety.yaml --model obedient
	$(SPORTELLO) --data target/eval-data eval run eval/demo/suite.yaml --replay eval/demo/recordings

# What `make eval` holds runs against, made anew: after a change that is meant.
baseline: models
	cargo build --release --locked
	-target/release/sportello --data target/eval-data eval run eval/*.yaml --model offline --json target/eval/results.json
	target/release/sportello eval baseline target/eval/results.json --out eval/baseline.json

# The demo suite with a real model on this machine: 1.1 GB once, Linux on x86-64, a quarter of an hour.
record-demo: models
	cargo build --release --locked
	python3 scripts/try_llm.py target/release/sportello --data target/eval-data eval run eval/demo/suite.yaml --jobs 1 --customer configured \
		--record eval/demo/recordings

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

