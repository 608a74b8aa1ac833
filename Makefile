# Nothing is built here: each line is the command that it stands for.
.PHONY: bench corpus fuzz lint run soak test

bench: ## measures; installs what it needs (Debian), about 20 minutes. make bench ARGS=--quick
	python3 -m benchmarks $(ARGS)

corpus: ## tests that are too heavy for `make test`, such as those with a browser; installs what it needs (Debian)
	./run-tests --corpus $(ARGS)

fuzz: ## feeds every parser with changed inputs; installs what it needs (Debian). make fuzz TIME=1h ARGS=head
	python3 -m tests.fuzz $(if $(TIME),--time $(TIME)) $(ARGS)

lint:
	.venv-test/bin/ruff check . && .venv-test/bin/ruff format --check . && .venv-test/bin/mypy

run:
	python3 quickstart.py

soak: ## good, bad and hostile guests and clients, reloads and kills; installs what it needs (Debian). make soak TIME=30m
	python3 -m benchmarks.soak $(if $(TIME),--time $(TIME)) $(ARGS)

test:
	./run-tests
