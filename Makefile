# The same targets locally and in CI. `make cluster` and `make test` do everything on a fresh Debian 12 with a Swift toolchain.

SWIFT_FLAGS := --explicit-target-dependency-import-check error
# What is released carries the Swift runtime in itself: it runs where no toolchain is, starts faster and takes less memory.
RELEASE := swift build -c release --static-swift-stdlib $(SWIFT_FLAGS)
CLUSTER := Deploy/cluster/cluster
SOURCES := Package.swift Sources Tests

.PHONY: deps build release run cluster cluster-status cluster-down test bench bench-check bench-check-write fuzz lint format clean

deps:
	Deploy/install-dependencies

build: deps
	swift build $(SWIFT_FLAGS)

release: deps
	$(RELEASE)

# The whole server as one process, on a private PostgreSQL, without Redis and nginx.
run: release
	$(CLUSTER) --base var/single --mode monolith up

cluster: release
	$(CLUSTER) --base var/cluster --mode cluster up

cluster-status:
	@for base in var/single var/cluster; do [ ! -f $$base/cluster.json ] || $(CLUSTER) --base $$base status; done

cluster-down:
	@for base in var/single var/cluster; do [ ! -f $$base/cluster.json ] || $(CLUSTER) --base $$base down; done

test: deps
	NEEDS_HAPROXY=1 Deploy/install-dependencies
	Tests/run

# Beside Synapse where that can be installed, e.g. `make bench SCENARIOS=quick` or `make bench SCENARIOS='send-*' ROUNDS=3 SECONDS=5`.
BENCH_OPTIONS = $(if $(SCENARIOS),--scenarios '$(SCENARIOS)') $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	$(if $(ONLY),--only $(ONLY)) $(if $(OUTPUT),--output '$(OUTPUT)')

bench: release
	Tests/Benchmarks/run $(BENCH_OPTIONS)

# Instructions of hot code against the committed numbers; bench-check-write commits to new ones.
INSTRUCTIONS := Tests/Benchmarks/instructions.py .build/release/microbench Tests/Benchmarks/instructions.json
bench-check bench-check-write:
	NEEDS_VALGRIND=1 Deploy/install-dependencies
	$(RELEASE) --product microbench
	$(INSTRUCTIONS) $(if $(filter bench-check-write,$@),--write)

# libFuzzer on every target, SECONDS each.
fuzz: deps
	Tests/Fuzz/run $(or $(SECONDS),60)

lint:
	Deploy/lint/lint

format:
	swift format --in-place --parallel --recursive $(SOURCES)

clean: cluster-down
	rm -rf .build var
