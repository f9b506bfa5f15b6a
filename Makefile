# make setup     check the tools, install what npm brings
# make demo      two clusters, a link, a failure: see it work
# make check     types, lint, format, unit tests: no Kafka needed
# make test      check, and the tests with real brokers
# make test-full test, at full length
# make soak      hours of faults
# make bench     how fast it is, beside others (in the background; CASE=lz4 ROUNDS=1 for one answer)
# make reliability  every row of the fault table, and RELIABILITY.md from what happened; ROWS="S01 T04": these only
# make row ROW=S01  the tests of one row
.PHONY: setup tools deps demo check test test-full soak bench docs reliability row

NODE = node_modules/.bin/node

setup: tools deps

tools:
	@sh scripts/tools.sh node npm java mvn

# npm writes node_modules/.package-lock.json last.
deps: node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json tools/node/package.json
	@sh scripts/tools.sh node npm
	npm ci --loglevel=error
	@touch $@

demo: setup
	@./kdr demo

check: deps
	@$(NODE) scripts/test.ts check

test: setup
	@$(NODE) scripts/test.ts check lab

test-full: setup
	@KDR_SUITE=full $(NODE) scripts/test.ts check lab

soak: setup
	@KDR_SUITE=soak $(NODE) scripts/test.ts lab

bench: setup
	@$(NODE) bench/main.ts

# The pages of docs/reference that are made from tables in code.
docs: deps
	@$(NODE) scripts/docs.ts

reliability: setup
	@$(NODE) scripts/reliability.ts $(ROWS)

row: setup
	@$(NODE) scripts/reliability.ts --run $(ROW)
