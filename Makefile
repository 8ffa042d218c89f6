# Two commands: `make run` starts the demo shop, `make test` runs everything that CI checks.
.PHONY: run test report-understanding models python chromium

run: models
	cargo run --release --locked -- serve

test: models python chromium
	cargo fmt --check
	"$$(sh scripts/setup_deny.sh)" --log-level error check bans licenses sources
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
	cargo test --locked

# Every figure of understanding; a public set that is absent is left out. Vectors are kept in target/report-data.
report-understanding: models
	cargo run --release --locked -- --data target/report-data report understanding --out target/report-understanding.html

models:
	python3 scripts/setup_models.py

python:
	python3 scripts/setup_python.py

chromium:
	sh scripts/setup_chromium.sh

