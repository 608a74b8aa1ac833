# Nothing is built here: each line is the command that it stands for.
.PHONY: bench lint run test

bench: ## measures; installs what it needs (Debian), about 20 minutes. make bench ARGS=--quick
	python3 -m benchmarks $(ARGS)

lint:
	.venv-test/bin/ruff check . && .venv-test/bin/ruff format --check . && .venv-test/bin/mypy

run:
	python3 quickstart.py

test:
	./run-tests
