# Two halves. The short goals below call scripts and work on a machine that has no PostgreSQL yet; every other goal
# (all, install, installcheck, clean, uninstall, ...) is PGXS, as in any extension. They are kept apart because PGXS
# has a "check" of its own, and must find pg_config before it can read on.

short_goals := help setup stage check matrix unit fuzz sdk install-sdk demo demo-stop psql bench format clean-all
wanted := $(or $(MAKECMDGOALS),all)

ifneq (,$(filter $(short_goals),$(wanted)))
ifneq (,$(filter-out $(short_goals),$(wanted)))

# Goals of both kinds in one command: one after the other, each in its own half.
.NOTPARALLEL:
.PHONY: $(wanted)
$(wanted):
	@$(MAKE) --no-print-directory $@

else

.NOTPARALLEL:
.PHONY: $(short_goals)

export PG_CONFIG SUITE TEST BENCH WERROR CI ADOPT_SIZE RELEASE GOAL PREFIX DESTDIR

help:
	@echo 'make demo       install what is missing, build, and show two tenants that cannot see each other'
	@echo 'make check      install what is missing, build, run every test (SUITE=pgtap TEST=protect narrows it)'
	@echo 'make matrix     make check in bare Debian roots: PostgreSQL 15, 17 and 18 (RELEASE=trixie narrows it)'
	@echo 'make psql       a shell on the demo database; make demo-stop ends its server'
	@echo 'make setup      only install what is missing'
	@echo 'make sdk        build the C++ SDK, its tests and tenancyctl under build/cmake'
	@echo 'make install-sdk   install what make sdk has built (PREFIX=/usr/local)'
	@echo 'make unit       run the tests that need no server'
	@echo 'make fuzz       feed made-up input to the parsers (FUZZ_SECONDS=60 for longer) and to every C function (FUZZ_CALLS=1000)'
	@echo 'make bench      run the benchmarks'
	@echo 'make format     clang-format over the C++ sources'
	@echo 'make clean-all  stop private servers, delete build/ and all that was built'
	@echo
	@echo 'make, make install, make installcheck, make clean, make uninstall work as in any extension;'
	@echo 'PG_CONFIG=/path/to/pg_config chooses the server for all of them.'

setup:
	@scripts/setup

stage: setup
	@scripts/stage

check:
	@scripts/check

matrix:
	@scripts/matrix

unit: setup
	@SUITE=unit scripts/check

sdk: setup
	@scripts/build_sdk

install-sdk:
	@scripts/install_sdk

fuzz: stage
	@test/scripts/fuzz.sh
	@test/scripts/fuzz_functions.sh

demo:
	@scripts/demo

demo-stop:
	@scripts/demo --stop

psql:
	@scripts/demo --psql

bench:
	@scripts/bench

format:
	@find extension sdk test bench -name '*.cpp' -o -name '*.hpp' | xargs clang-format -i

clean-all:
	@scripts/clean_all

endif
else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(PGXS))
$(error $(PG_CONFIG) does not work: say PG_CONFIG=/path/to/pg_config, or let 'make setup' install a server)
endif

version := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" extension/tenancy.control)

MODULE_big = tenancy
EXTENSION = extension/tenancy
PGFILEDESC = "tenancy - multi-tenancy and tenant-aware retrieval"

sources := $(sort $(wildcard extension/src/*.cpp extension/src/*/*.cpp extension/src/*/*/*.cpp))
OBJS = $(sources:.cpp=.o)
DATA = $(sort $(wildcard sql/updates/*.sql))
DATA_built = tenancy--$(version).sql

# The server's headers are not ours to clean up: as system headers they give no warnings.
PG_CPPFLAGS = -Iextension/src \
	-isystem $(shell $(PG_CONFIG) --includedir-server) -DTENANCY_VERSION='"$(version)"'
PG_CXXFLAGS = -std=c++17 -fvisibility=hidden -fvisibility-inlines-hidden -Wall -Wextra
ifneq (,$(filter true 1,$(CI) $(WERROR)))
PG_CXXFLAGS += -Werror
endif
# PGXS links with the C compiler.
SHLIB_LINK += -lstdc++ -lm -lcrypto

REGRESS = $(patsubst test/regress/sql/%.sql,%,$(sort $(wildcard test/regress/sql/*.sql)))
REGRESS_OPTS = --inputdir=test/regress --load-extension=vector --load-extension=tenancy
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=vector --load-extension=tenancy

EXTRA_CLEAN = $(OBJS:.o=.d)

include $(PGXS)

# PGXS gives neither dependencies on headers nor, to the bitcode, our flags. Bitcode follows the object: the one list
# of headers serves both, and gcc's warnings need not be repeated by clang.
%.o: %.cpp
	@$(if $(filter -Werror,$(CXXFLAGS)),,rm -f build/strict)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
# Plain loops over vectors become vector instructions; none of them asks for errno or floating-point traps.
$(filter extension/src/vectors/pure/%,$(OBJS)): CXXFLAGS += -O3 -fno-math-errno -fno-trapping-math
# A score is the same to the last bit whichever code computes it: no multiplication is drawn into an addition here and not there.
$(filter extension/src/search/pure/% extension/src/words/pure/%,$(OBJS)): CXXFLAGS += -ffp-contract=off
COMPILE.cxx.bc += $(filter-out -W%,$(PG_CXXFLAGS)) -Wno-register
$(OBJS:.o=.bc): %.bc: %.o
-include $(OBJS:.o=.d)

# Objects for one server are no good for another.
built_for := $(shell $(PG_CONFIG) 2>/dev/null | cksum | tr ' ' -)
$(shell mkdir -p build; test "`cat build/built_for 2>/dev/null`" = "$(built_for)" || echo "$(built_for)" >build/built_for)
$(OBJS): build/built_for
# With warnings as errors, what was compiled without is compiled again: its warnings were only printed once.
ifneq (,$(filter -Werror,$(PG_CXXFLAGS)))
$(OBJS): build/strict
build/strict:
	@touch $@
endif
# The version is compiled in.
$(OBJS): extension/tenancy.control

$(DATA_built): $(sort $(wildcard sql/[0-9]*.sql)) extension/tenancy.control
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION tenancy" to load this file. \quit'; \
	  for part in $(filter %.sql,$^); do echo; cat $$part; done; } >$@.new && mv $@.new $@

dist:
	git archive --format=zip --prefix=tenancy-$(version)/ -o tenancy-$(version).zip HEAD
.PHONY: dist

# A part that was taken away must not live on in the joined script.
$(DATA_built): sql

endif
