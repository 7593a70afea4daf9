# Every target runs in .ci/run, so that none rots.

SHELL := bash

GOLANGCI_VERSION := v2.15.0
CACHE            := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/weir/tools
GOLANGCI         := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

# Packages in which things happen side by side.
CONCURRENT := ./cmd/... ./internal/certs/... ./internal/chaos/... ./internal/chat/... ./internal/embed/... ./internal/extract/... ./internal/drill/... ./internal/httpapi/... ./internal/identity/... ./internal/load/... ./internal/mcpapi/... ./internal/metrics/... ./internal/postgres/... ./internal/postings/... ./internal/provider/... ./internal/rag/... ./internal/sqlite/... ./internal/traces/...

# The suites of internal/storetest that -short leaves out, because they are the same once more: with few connections, and
# behind a pooler. With them every suite of every store runs in full.
SUITES     := ^Test(StoreTiny|StoreBehindPooler)$$

# How long the tests of a package may take. The longest take 5 minutes on four
# cores that do all of .ci/run side by side, and Go's own bound is 10.
PATIENCE  := 30m

ROUNDS    ?= 5
FUZZTIME  ?= 20000x
DURATION  ?= 300
BENCH     ?= .
BENCHTIME ?= 1s
BENCHED   ?= ./internal/...
CPU       ?= 1

.PHONY: help build test race lint e2e fuzz bench openapi-fuzz docs browser

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 8

build: ## build ./weir, without cgo
	CGO_ENABLED=0 go build -trimpath -o weir ./cmd/weir

test: ## run the tests
	go test -timeout $(PATIENCE) ./...

race: ## run the concurrent tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -short -shuffle=on -timeout $(PATIENCE) $(CONCURRENT)
	CGO_ENABLED=1 go test -race -shuffle=on -timeout $(PATIENCE) -run '$(SUITES)' ./internal/postgres

lint: $(GOLANGCI) ## check the code
	$(GOLANGCI) config verify
	$(GOLANGCI) run ./...

$(GOLANGCI):
	GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

e2e: ## drive the built program from outside; ROUNDS=30 kills it more often
	WEIR_E2E=1 WEIR_E2E_ROUNDS=$(ROUNDS) go test -count=1 -v -timeout $(PATIENCE) ./e2e ./tools/measure

browser: ## drive the page in Chromium, with axe-core from npm; WEIR_SHOTS=folder keeps pictures
	.ci/browser

# An input is made smaller 100 times at most: Go's own bound is a minute of
# that for each input, in which it looks for nothing new. Inputs are counted
# (20000x): where a time ends (30s) go test now and then fails with "context
# deadline exceeded", though nothing was found.
fuzz: ## fuzz every target with FUZZTIME inputs
	@set -e; grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/^func //' | sort -u | while read -r name; do \
			echo "$$dir $$name"; \
			go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x $$dir; \
		done; \
	done

openapi-fuzz: build ## hold the built program against its OpenAPI document for DURATION seconds (needs Python)
	.ci/openapi ./weir $(DURATION)

docs: ## run every example of the docs (needs Python)
	.ci/docs

bench: ## measure, as tables; BENCH, BENCHTIME and CPU are those of go test
	set -o pipefail; go test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -cpu=$(CPU) -timeout=60m $(BENCHED) | go run ./tools/benchtable
