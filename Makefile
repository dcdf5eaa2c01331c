# `make help` lists the targets.

# A source archive has no git: `make dist` puts both into its file VERSION.
VERSION := $(shell cut -d' ' -f1 VERSION 2>/dev/null || git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  := $(shell cut -d' ' -f2 VERSION 2>/dev/null || git rev-parse --short --verify HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X gracevisor/internal/version.Version=$(VERSION) -X gracevisor/internal/version.Commit=$(COMMIT) -X main.version=$(VERSION)
# The version comes from here: a checkout that git does not trust must build, too.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
# What -fuzz finds is kept in testdata; a short run in `make test`, a long one in `make fuzz`.
FUZZTIME ?= 10m

.DEFAULT_GOAL := help
# With -j, too, the steps of `make test` come one after the other.
.NOTPARALLEL:
.PHONY: help build run test deps lint unit fuzz-short e2e systemd test-vm fuzz soak survival bench bench-proxy deb dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/gracevisord, bin/gracevisorctl and demoapp/demoapp
	$(GO_BUILD) -o bin/ ./cmd/gracevisord ./cmd/gracevisorctl
	$(GO_BUILD) -o demoapp/ ./demoapp

run: build ## the example, in the foreground
	cd bin && exec ./gracevisord --conf ../conf

# What a machine can not give is noted here by tests that need it: go test would
# not tell of it.
export GV_UNTESTED := $(CURDIR)/.cache/untested
FORGET_UNTESTED = @mkdir -p .cache && rm -f '$(GV_UNTESTED)'
TELL_UNTESTED   = @[ ! -e '$(GV_UNTESTED)' ] || sort -u '$(GV_UNTESTED)' >&2

# Packages with tests on the real binaries, and on a real systemd.
E2E     := ./test/e2e/... ./test/survival/... ./test/hostile/...
SYSTEMD := ./test/systemd/...

# Budgets on two cores, 20 min in all: lint 2, unit 5, fuzz-short 1, e2e 8, systemd 4.
test: deps lint unit fuzz-short e2e systemd ## everything: lint, unit tests, short fuzzing, end-to-end tests, systemd

deps: ## install what the tests need (Debian, as root), or say what is missing
	test/install-deps

lint: ## gofmt, go vet, staticcheck
	test -z "$$(gofmt -l cmd demoapp internal packaging test | tee /dev/stderr)"
	go vet ./...
	go tool staticcheck ./...

unit: ## all tests but those of the real binaries, with the race detector
	$(FORGET_UNTESTED)
	go test -race -timeout 10m $$(go list ./... | grep -vxF "$$(go list $(E2E) $(SYSTEMD))")
	$(TELL_UNTESTED)

e2e: ## the guarantees, on the real binaries, with the race detector
	$(FORGET_UNTESTED)
	go test -race -timeout 15m -p 1 $(E2E)
	$(TELL_UNTESTED)

systemd: ## boots systemd in a container and installs the package (as root)
	$(FORGET_UNTESTED)
	go test -timeout 12m -p 1 $(SYSTEMD)
	$(TELL_UNTESTED)

test-vm: ## limits and crashes with cgroup controllers, in a virtual machine (as root, by hand)
	test/install-deps vm
	GRACEVISOR_VM=1 go test -count=1 -timeout 20m -v ./test/vm

fuzz-short: ## each fuzz target 50,000 times
	test/fuzz 50000x

fuzz: ## each fuzz target for FUZZTIME (10m)
	test/fuzz $(FUZZTIME)

soak: ## ten minutes of load with a restart each second
	GRACEVISOR_SOAK=10m go test -count=1 -timeout 20m -run TestSoak -v ./test/e2e

survival: ## re-exec, crash, restart, upgrade as often as it takes, under load (prints a table)
	test/survive $(TESTS)

bench: build ## times and memory of the supervisor (prints)
	go build -o bin/bench ./test/bench && exec bin/bench $(FLAGS)

bench-proxy: build ## CPU per request beside nginx, HAProxy and ReverseProxy (prints)
	go build -o bin/benchproxy ./test/benchproxy && exec bin/benchproxy $(FLAGS)

deb: ## dist/gracevisor_VERSION_ARCH.deb, for amd64 and arm64
	go run ./packaging/deb/build -format deb -out dist

dist: release = $(VERSION:-dirty=)
dist: ## source archive of what is committed, .rpm and binary .tar.gz
	mkdir -p dist
	go run ./packaging/deb/build -format rpm,tar.gz -out dist
	git archive --format=tar.gz --prefix=gracevisor-$(release)/ --add-virtual-file='gracevisor-$(release)/VERSION:$(release) $(COMMIT)' -o dist/gracevisor-$(release).tar.gz HEAD

clean: ## remove what was built
	rm -rf bin dist demoapp/demoapp
