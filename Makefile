# Lookout: one command brings the stack up, one proves it. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The environment: a folder of envs/.
ENV ?= local
# Chooses again where images and providers come from: auto, registry or modules. Without it the choice that was made is kept.
ORIGIN ?=
export ORIGIN
# What is watched besides the sample service: redis, host, …, all or none. Without it the choice that was made is kept.
SOURCES ?=
export SOURCES
# A stack next to another one (up, apply), or a new environment (new-env).
NAME ?=
# For how long each fuzz target runs, and where they are looked for.
FUZZTIME ?= 20s
FUZZPATHS ?= app/relay
# What `make review` compares with.
BASE ?= main

# Everything is compiled with the same flags (internal/toolchain.CompileFlags), so that what is linked into a server, into our
# programs and into tests is compiled once; without debug information, which takes a linker longer than all the rest, and without
# asking git, which knows nothing of a checkout that another user owns.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath -buildvcs=false -gcflags=all=-dwarf=false)
export CGO_ENABLED ?= 0
TOOLCHAIN := { [ -x .cache/bin/toolchain ] || echo "Compiling what make calls, once …"; } && \
  go build -o .cache/bin/toolchain ./cmd/toolchain && .cache/bin/toolchain --env=$(ENV) --name=$(NAME)
TERRAFORM := .cache/bin/terraform
# Providers that were built from modules are found through this file, which holds the user's own configuration too; where none was
# built it is absent, and Terraform reads the user's own.
ifneq ($(TF_CLI_CONFIG_FILE),$(CURDIR)/.cache/terraform.rc)
export LOOKOUT_TF_CLI_CONFIG_FILE ?= $(TF_CLI_CONFIG_FILE)
endif
ifneq ($(wildcard .cache/terraform.rc),)
export TF_CLI_CONFIG_FILE := $(CURDIR)/.cache/terraform.rc
endif
# What checks Go, Terraform and shell: tools/lint has the versions, docs/adr/0035 the reasons. go vet keeps the verdict of each package,
# the search for functions that nothing calls keeps one for all of them: both across checkouts.
LINT := go build -C tools/lint -o $(CURDIR)/.cache/bin/lint .
DEADCODE = of=$$({ cat tools/lint/go.sum; go version; git ls-files -co --exclude-standard '*.go' go.mod go.sum | LC_ALL=C sort | xargs sha256sum; } | sha256sum | cut -c1-32); \
  kept="$${XDG_CACHE_HOME:-$$HOME/.cache}/lookout/deadcode/$$of"; [ -e "$$kept" ] || { \
  found=$$(cd tools/lint && go build -o $(CURDIR)/.cache/bin/deadcode golang.org/x/tools/cmd/deadcode && cd $(CURDIR) && .cache/bin/deadcode -test ./...); \
  [ -z "$$found" ] || { echo "nothing calls:"; echo "$$found"; exit 1; }; mkdir -p "$${kept%/*}"; touch "$$kept"; }

##@ Everyday

.PHONY: up
up: ## Bring the environment up and show service URLs (ENV=local; NAME=… for a second stack; SOURCES=redis,host,… or all)
	@$(TOOLCHAIN) up

.PHONY: test
test: ## Everything: lint, rule tests, Terraform tests, Go tests, the end-to-end story
	@$(TOOLCHAIN) init
	@$(TOOLCHAIN) test-deps
	@# Fuzz targets run on what they have been taught; looking for more is `make fuzz`, nightly: a search says nothing of a commit.
	@$(MAKE) --no-print-directory licences lint
	@# The end-to-end tests first, since they take longest, and one package more than there are processors, since they also wait.
	@# They always run; of the others those do of which anything has changed (GOTESTFLAGS=-count=1 runs all).
	LOOKOUT_TEST_RUN=$$(date +%s.%N) go test -timeout=40m -p=$$(($$(nproc) + 1)) $(GOTESTFLAGS) ./test/... ./...

.PHONY: down
down: ## Remove every container, network and volume of this checkout's stack (ENV=local)
	@$(TOOLCHAIN) down

.PHONY: status
status: ## Health, targets, heartbeat, deliveries, last apply, drift, and service URLs (JSON=1); fails if something is wrong
	@$(TOOLCHAIN) status $(if $(JSON),--json)

.PHONY: logs
logs: ## Logs of all containers, or of one (SERVICE=relay LINES=100 FOLLOW=1)
	@$(TOOLCHAIN) logs --lines=$(or $(LINES),100) $(if $(FOLLOW),--follow) $(SERVICE)

.PHONY: doctor
doctor: ## Look for what keeps an environment from working (engine, ports, disk, clock, DNS, mirrors, versions), with the remedy
	@$(TOOLCHAIN) doctor

.PHONY: backup
backup: ## Write data, state and generated secrets of the running environment into one file (FILE=backups/…)
	@$(TOOLCHAIN) $(if $(FILE),--file="$(FILE)") backup

.PHONY: restore
restore: ## Bring an environment back from such a file, on a new machine or after `make down` (FILE=…)
	@$(TOOLCHAIN) $(if $(FILE),--file="$(FILE)") restore

.PHONY: uninstall
uninstall: ## Remove images, caches and generated files, once nothing is up; names what is left, with sizes
	@$(TOOLCHAIN) uninstall

.PHONY: password
password: ## Print the local Grafana's admin password; NEW=… changes it, NEW=generate chooses one
	@export NEW='$(NEW)'; $(TOOLCHAIN) password

##@ Terraform, in both roots (platform, then content)

.PHONY: init
init: ## Get toolchain, images and providers; afterwards plain `terraform apply` works in each root
	@$(TOOLCHAIN) init

.PHONY: origin
origin: ## Show where each image and provider comes from (ORIGIN=auto|registry|modules chooses again)
	@$(TOOLCHAIN) origin

.PHONY: plan
plan: ## Show what would change
	@$(TOOLCHAIN) plan

.PHONY: apply
apply: ## Apply what would change; asks first, except in local (YES=1 answers)
	@$(TOOLCHAIN) apply

.PHONY: new-env
new-env: ## Write an environment of its own, with free ports, from envs/staging (NAME=qa)
	@$(TOOLCHAIN) new-env

.PHONY: lock
lock: ## Record the checksums of published providers in tools/locks (needs the Terraform registry)
	@for root in platform content; do \
	  $(TERRAFORM) -chdir=envs/$(ENV)/$$root providers lock -platform=linux_amd64 -platform=linux_arm64 -platform=darwin_arm64; \
	  mkdir -p tools/locks; cp envs/$(ENV)/$$root/.terraform.lock.hcl tools/locks/$$root.lock.hcl; done

##@ The command line

.PHONY: install
install: ## Install the command lookout where Go installs programs (go env GOBIN, else GOPATH/bin)
	@go install ./cmd/lookout
	@at=$$(go env GOBIN); at=$${at:-$$(go env GOPATH)/bin}; echo "installed $$at/lookout; \`lookout completion\` says how the shell completes it"; \
	  [ "$$(command -v lookout)" = "$$at/lookout" ] || echo "to call it by its name: export PATH=\"$$at:\$$PATH\""

.PHONY: pull
pull: ## Bring edits made in Grafana back into dashboards/, with the address and login of ENV
	@go run ./cmd/lookout pull --all --env=$(ENV)

##@ Alerts

.PHONY: silence
silence: ## Keep an alert quiet for maintenance (ALERT=GoThreadsHigh FOR=2h, MATCH=instance=go1; END=1 ends it)
	@go run ./cmd/lookout silence --env=$(ENV) $(if $(END),--end,--for='$(FOR)') $(if $(MATCH),--match='$(MATCH)') $(ALERT)

##@ Development

.PHONY: fmt
fmt: ## Format Go, Terraform and dashboards
	gofmt -w $$(git ls-files '*.go')
	$(TERRAFORM) fmt -recursive
	go run ./cmd/lookout fmt dashboards

.PHONY: generate
generate: ## Write the tables of the documentation that repeat what stands elsewhere: inputs, outputs, flags, lint rules, alerts
	go run ./cmd/docgen

.PHONY: lint
lint: ## Formatting, static checks of Go, Terraform and shell (tools/lint), unit tests of the rules and what they would not notice
	@files=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	  [ -z "$$files" ] || { echo "not formatted (make fmt):"; echo "$$files"; exit 1; }
	@$(LINT)
	go vet -vettool=$(CURDIR)/.cache/bin/lint ./...
	cd tools/lint && go vet -vettool=$(CURDIR)/.cache/bin/lint . && go test .
	cd tools/gomutate && go vet -vettool=$(CURDIR)/.cache/bin/lint .
	$(DEADCODE)
	.cache/bin/lint terraform modules stacks envs examples test
	.cache/bin/lint shell $$(git ls-files '*.sh' ':!tools/lint/testdata') .ci/run .github/workflows/*.yml examples/ci/*.yml
	$(TERRAFORM) fmt -check -recursive
	go run ./cmd/docgen --check
	go run ./cmd/lookout fmt --check dashboards
	go run ./cmd/lookout lint dashboards alerts
	go run ./cmd/lookout rules check --tests
	go run ./cmd/lookout rules mutate alerts modules/prometheus/rules
	go run ./cmd/lookout rules test slos/rules

.PHONY: mutate-go
mutate-go: ## Mistakes in Go code that no test notices, one at a time; takes an hour (MUTATEPATHS=./internal/rules for some)
	cd tools/gomutate && go test . && go build -o $(CURDIR)/.cache/bin/gomutate .
	.cache/bin/gomutate $(or $(MUTATEPATHS),./internal/contract ./internal/rules ./internal/diff ./app/relay/...)

.PHONY: vulnerabilities
vulnerabilities: ## Known vulnerabilities in code that is called, by govulncheck; needs https://vuln.go.dev, and fails without it
	@go build -C tools/lint -o $(CURDIR)/.cache/bin/govulncheck golang.org/x/vuln/cmd/govulncheck
	.cache/bin/govulncheck ./...

.PHONY: race
race: ## Tests under the race detector, all that start no containers (needs gcc; RACEPATHS=./app/relay/... for some)
	CGO_ENABLED=1 go test -race -timeout=60m $(or $(RACEPATHS),./app/... ./cmd/... ./internal/...)

.PHONY: drill
drill: ## Make alerts happen and follow them to the chat and back (ALERTS="…", default all; ENV=prod; DRILL=--dry-run)
	@go run ./cmd/lookout drill --env=$(ENV) $(DRILL) $(or $(ALERTS),--all)

.PHONY: test-drill
test-drill: ## Break every part of the chain by itself and ask a drill which one it was: some minutes
	go test -count=1 -timeout=20m ./test/drill -all

.PHONY: release-check
release-check: ## Build what a release publishes, twice, and verify signature, checksums, SBOMs and images; nothing is published
	go run ./cmd/release check

.PHONY: licences
licences: ## Check the licence of every module that is built, against a list of what is allowed
	@$(TOOLCHAIN) licences

.PHONY: review
review: ## What a change means for dashboards and alerts, in words and pictures (BASE=main)
	@go run ./cmd/lookout review --base=$(BASE) --run-exporters

.PHONY: bench-dashboards
bench-dashboards: ## First apply and no-op plan of 1,000 dashboards in 40 folders, by API and by files (GRAFANA_IMAGE=…)
	@[ -n "$(GRAFANA_IMAGE)" ] || { echo "needs a Grafana: make bench-dashboards GRAFANA_IMAGE=grafana/grafana:13.2.3"; exit 1; }
	@for way in api files; do go run ./test/bench/dashboards --way "$$way" --image "$(GRAFANA_IMAGE)"; done

.PHONY: slo-histories
slo-histories: ## Compare our verdicts about error budgets with those of sloth's rules on HISTORIES random histories (1000)
	go test -count=1 -timeout=2h -run='^TestVerdictsAreThoseOfSloth$$' -v ./internal/slo -histories=$(or $(HISTORIES),1000)

.PHONY: bench-alerts
bench-alerts: ## Breach → message, RUNS times on a stack of its own, with the stages of each and the verdict (RUNS=50)
	go test -count=1 -timeout=3h -run='^TestFlow$$/^prometheus$$' -v ./test -runs=$(or $(RUNS),50)

.PHONY: bench-console
bench-console: ## Memory of the console after ten readers used it for SOAK (1h), and its latencies
	go test -run='^TestMemoryOfAnHour$$' -timeout=3h -v -soak=$(or $(SOAK),1h) ./internal/console
	go test -run='^$$' -bench=. ./internal/console

.PHONY: bench-public
bench-public: ## What lint, diff and render do with public dashboards and rule files, fetched as Go modules (PUBLIC=.cache/public)
	go run ./test/bench/public --dir $(or $(PUBLIC),.cache/public)
	LOOKOUT_PUBLIC=$(abspath $(or $(PUBLIC),.cache/public)) go test -count=1 -timeout=1h -v -run='^TestPublic|^TestEveryChangedPanelIsNamedOrCounted$$' ./cmd/lookout ./internal/diff

.PHONY: prove-your-service
prove-your-service: ## Follow docs/your-service.md on a stack of its own, from the first command to the message, with the times
	go test -count=1 -timeout=30m -v -run='^TestFollowed' ./test/service -long

.PHONY: prove-relay
prove-relay: ## What the relay promises, in full: 10,000 notifications and 50 kills, a pair killed 100 times, 15 minutes of real windows
	go test -count=1 -timeout=40m -v -run='IsLost|TestAPair|RealWindows' ./app/relay -args -long

.PHONY: test-sources
test-sources: ## All sources of metrics on a stack of its own: panels, discovery, memory, time; 90 days of history
	go test -count=1 -timeout=60m -v ./test/sources -long

.PHONY: fuzz
fuzz: ## Fuzz what strangers send to the relay, FUZZTIME each (FUZZPATHS=. fuzzes everything)
	@grep -roE --include='*_test.go' 'func Fuzz[A-Za-z]+' $(FUZZPATHS) | sed 's/:func / /' | \
	  xargs -P $$(($$(nproc) + 1)) -L 1 bash -c 'echo "fuzzing $$1 of $${0%/*} for $(FUZZTIME)"; \
	    out=$$(go test "-run=^\$$" "-fuzz=^$$1\$$" -fuzztime=$(FUZZTIME) -parallel=1 "./$${0%/*}" 2>&1) || { echo "$$out"; exit 1; }'

.PHONY: bench
bench: ## Benchmarks of the Go programs
	go test -run='^$$' -bench=. -benchmem ./app/... ./internal/...

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
