# What people run: make demo, make test. The rest is for those who work on it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
# The race detector needs a C compiler; without one the tests run without it and say so.
RACE := $(if $(shell command -v $${CC:-gcc}),-race)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 30s
FAULTS ?= 200
CHECKS ?= 300

.PHONY: build demo test s3 lint fuzz faults bench mutants clean

build: ## the daybook binary, in ./bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/daybook ./cmd/daybook

demo: build ## a year of a fictional business, from first invoice to verified log
	./bin/daybook demo

# Under the race detector tests take fewer random cases, and smaller sizes (package
# testing/effort); go test without it takes all. What is vetted is built as what is
# tested, and no process that has ended waits for races in what it left running.
# One random book sends every statement there is to CockroachDB's parser; that the
# engines agree is shown by the packages' own tests.
test: ## everything that CI runs, but the linters: unit, property, conformance, fault and script tests, with the race detector
	$(GO) vet $(RACE) ./...
	@$(if $(RACE),:,echo "no C compiler: the tests run without the race detector")
	GORACE=atexit_sleep_ms=0 $(GO) test $(RACE) -vet=off -timeout 40m ./...
	cd testing/tessera && $(GO) test ./...
	cd testing/cockroach && $(GO) vet ./... && $(GO) test -timeout 20m ./... -rapid.checks=1
	cd testing/oracle && $(GO) vet ./... && $(GO) test ./...

s3: ## archives in buckets of a real S3 server, which is built first
	cd testing/s3 && $(GO) vet ./... && $(GO) test -timeout 20m ./...

lint: ## format, vet, staticcheck, known vulnerabilities, the rules of the architecture; deliberate faults still fit the code
	@unformatted=$$(git ls-files -z '*.go' | xargs -0 $(TOOL) gofumpt -l); \
	if [ -n "$$unformatted" ]; then echo "gofumpt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) test -count=1 ./testing/arch
	@for patch in testing/mutants/*.patch; do git apply --check --recount -C1 "$$patch"; done
	@tools/govulncheck.sh

fuzz: ## every fuzz target for FUZZTIME, and CHECKS random books through each engine's views
	tools/fuzz.sh $(FUZZTIME)
	$(GO) test -count 1 -timeout 120m -run '^TestConformance$$' ./projections/sqlite ./projections/postgres -rapid.checks=$(CHECKS)

faults: ## processes killed, power cut (as root), clocks that jump, databases that go away, disks that fail or are destroyed, logs damaged, FAULTS kills and in proportion; the table goes into docs/OPERATIONS.md
	DAYBOOK_FAULTS=$(FAULTS) DAYBOOK_HISTORIES='$(CURDIR)/histories' DAYBOOK_OPERATIONS='$(CURDIR)/docs/OPERATIONS.md' $(GO) test -count 1 -timeout 120m -v ./testing/campaign

bench: ## what docs/PERFORMANCE.md tells, measured again; DAYBOOK_BENCH_SECONDS, _ROUNDS and _COMMITS say how much
	DAYBOOK_PERFORMANCE='$(CURDIR)/docs/PERFORMANCE.md' $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 60m ./testing/bench

mutants: ## deliberate faults, one at a time: each must turn the tests red
	testing/mutants/try.sh

clean:
	rm -rf bin
