# make certify   certifies the fixture's fixed release
# make test      runs all tests
# make build     builds fracas and its helpers (.build/release)
# make systemd   deployments under real systemd, in a machine of its own (root, systemd-nspawn, debootstrap)
# make bench     measures what a stopped call costs
# make calibrate runs and explores ordinary programs: PROGRAMS="nginx redis", PLAIN=50, EXPLORED=100, JOBS=4 (root)
RELEASE ?= fixed
TARGET ?= fixtures/exo
# Known races that the suite must catch: CONTROLS= leaves them out.
CONTROLS ?= $(if $(filter fixed,$(RELEASE)),--controls fixtures/races)
# What make calibrate takes, and how many trials of each.
PROGRAMS ?=
PLAIN ?= 50
EXPLORED ?= 100
FRACAS = .build/release/fracas

.PHONY: certify test build bench prepare pytest format systemd calibrate

certify: build
	$(FRACAS) certify --target $(TARGET) --release $(RELEASE) $(CONTROLS)

bench: build
	$(FRACAS) bench gate

# Goes on where it was interrupted. Exit code 1: a violation that scenarios/calibration/explained.txt does not explain.
calibrate: build
	@scenarios/calibration/run --fracas $(FRACAS) --plain $(PLAIN) --explored $(EXPLORED) $(if $(JOBS),--jobs $(JOBS)) $(PROGRAMS)

# Exit code 77 is a skip, with its reason said: not a pass, and not a failure of what is tested.
systemd: build
	@scenarios/systemd/machine.sh || { code=$$?; [ $$code = 77 ] || exit $$code; }

# What users run is what is tested: the optimized build.
test: pytest
	swift build -c release --build-tests
	swift test -c release --skip-build

build: prepare
	swift build -c release

prepare:
	@.ci/prepare

# The fixture's own unit tests, on its fixed release put together as it would be deployed; the probe's; the schema's.
pytest: prepare
	@rm -rf .build/fixture && mkdir -p .build/fixture
	@cp -r fixtures/exo/src .build/fixture/src && cp -r fixtures/exo/releases/fixed/. .build/fixture/
	cd .build/fixture && PYTHONPATH=src ../../.venv/bin/python -m pytest -q -p no:cacheprovider src
	.venv/bin/python -m pytest -q -p no:cacheprovider fixtures/probe/tests Tests/SchemaTests

format:
	swift format --in-place --recursive Sources Tests Package.swift
