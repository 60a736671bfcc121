# moonboot: see README.md for what the targets do; `make help` lists them.
# CC=clang and SANITIZE=1 (ASan and UBSan) each build in a directory of their own.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PKG_CONFIG ?= pkg-config

VARIANT := $(if $(filter-out gcc,$(notdir $(CC))),-$(notdir $(CC)))$(if $(SANITIZE),-sanitize)$(if $(COVER),-cover)
BUILD   := $(if $(FUZZ),build-fuzz,build$(VARIANT))

LIBRARIES := luajit lmdb hiredis libcurl libevent_core libevent_extra libevent_openssl openssl yaml-0.1 libsodium libseccomp libedit
WARNINGS  := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
CFLAGS    ?= -O2 -g
CPPFLAGS  += -D_GNU_SOURCE -DMOONBOOT_VERSION='"$(VERSION)"' -Icore -idirafter /usr/include/lua5.1
VERSION   := 0.1.0

ALL_CFLAGS  = -std=c11 $(WARNINGS) $(CFLAGS) -fstack-protector-strong -fPIE \
              $(shell $(PKG_CONFIG) --cflags $(LIBRARIES))
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now -rdynamic
# lua-cjson's own .pc file asks for PUC Lua; its library is happy with LuaJIT.
LDLIBS      = $(shell $(PKG_CONFIG) --libs $(LIBRARIES)) -llua5.1-cjson -lpcap -lm -pthread

ifdef SANITIZE
ALL_CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=address,undefined
endif

ifdef FUZZ
CPPFLAGS    += -DTASK_LOAD_MS=300
ALL_CFLAGS  += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=fuzzer,address,undefined
endif

# Counts lines of both halves (tests/cover): a process that ends by _exit writes its counters, too.
ifdef COVER
CFLAGS      := -O0 -g
CPPFLAGS    += -DTASK_HOOK_BEFORE=lines_before -D_exit=lines_exit
ALL_CFLAGS  += --coverage -fprofile-update=atomic
ALL_LDFLAGS += --coverage
endif

CORE_C  := $(filter-out core/main.c,$(wildcard core/*.c))
CORE_O  := $(CORE_C:core/%.c=$(BUILD)/core/%.o)
LUA     := $(sort $(wildcard lua/*.lua lua/*/*.lua)) \
           $(filter-out %_test.lua,$(sort $(wildcard policies/*.lua policies/*/*.lua)))
STARTER := $(sort $(shell find examples/starter -type f))
LIB     := $(BUILD)/libmoonboot.a
PROGRAM := $(BUILD)/moonboot
UNIT_C  := $(wildcard tests/unit/test_*.c)
UNIT    := $(UNIT_C:tests/unit/%.c=$(BUILD)/unit/%)

.PHONY: all
all: $(PROGRAM)

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The Lua half is carried inside the program, and so are the policies to build on and the starter
# site of `moonboot init`.
$(BUILD)/embedded.S: $(LUA) $(STARTER) tests/embed.sh
	@mkdir -p $(@D)
	tests/embed.sh $(LUA) $(STARTER) > $@

$(BUILD)/embedded.o: $(BUILD)/embedded.S
	$(CC) -c -o $@ $<

build-cover/cover/%.o: tests/cover/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O2 -g -fPIE $(shell $(PKG_CONFIG) --cflags luajit) -c -o $@ $<

build-cover/cover/lua: build-cover/cover/lua.o build-cover/cover/lines.o
	$(CC) -pie -Wl,--export-dynamic --coverage -o $@ $^ $(shell $(PKG_CONFIG) --libs luajit)

$(LIB): $(CORE_O) $(BUILD)/embedded.o $(if $(COVER),$(BUILD)/cover/lines.o)
	$(AR) rcs $@ $^

$(PROGRAM): $(BUILD)/core/main.o $(LIB)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Itests/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS) -lcmocka

-include $(wildcard $(BUILD)/*.d $(BUILD)/core/*.d $(BUILD)/unit/*.d $(BUILD)/bench/*.d)

.PHONY: unit
unit: $(UNIT)

# --- what tests run, and what memcheck says ---------------------------------------------------

# Lines of core/ and of lua/, by file, and the totals: an error below 90 %.
.PHONY: cover
cover:
	@tests/deps.sh build test
	@$(MAKE) --no-print-directory -s COVER=1 all unit build-cover/cover/lua
	@tests/cover/run.sh

# ONLY=PATTERN: of names such as unit/test_store and e2e/http.
.PHONY: valgrind
valgrind: all unit
	@tests/deps.sh build test valgrind
	@tests/valgrind/run.sh '$(or $(ONLY),.)'

# --- benchmarks -------------------------------------------------------------------------------

LOADS   := $(patsubst %,$(BUILD)/bench/%,dhcpload tftpload bootstorm)
BENCH_O := $(patsubst %,$(BUILD)/bench/%.o,boot fetch load machine reader script)
BENCH_A := $(BUILD)/bench/libbench.a

$(BUILD)/bench/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BENCH_A): $(BENCH_O)
	$(AR) rcs $@ $^

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BENCH_A) $(LIB)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY: $(LOADS:%=%.o) $(BUILD)/bench/rules.o

.PHONY: bench
bench:
	@tests/deps.sh build bench
	@$(MAKE) --no-print-directory -s all $(LOADS) $(BUILD)/bench/rules
	@BUILD=$(abspath $(BUILD)) tests/bench/run.py

.PHONY: bench-short
bench-short: all $(LOADS) $(BUILD)/bench/rules
	@BUILD=$(abspath $(BUILD)) tests/bench/run.py --short

.PHONY: bench-rules
bench-rules: $(BUILD)/bench/rules
	@$<

.PHONY: bench-log
bench-log: $(BUILD)/bench/decision_log
	@$<

# --- fuzzers: clang and libFuzzer, with everything instrumented ------------------------------

FUZZERS := $(patsubst tests/fuzz/%.c,build-fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: fuzzers
fuzzers:
	$(MAKE) CC=clang FUZZ=1 $(FUZZERS)

# SECONDS for each, two at a time.
SECONDS ?= 60
.PHONY: fuzz
fuzz: fuzzers
	tests/fuzz/all.sh $(SECONDS)

ifdef FUZZ
build-fuzz/%: tests/fuzz/%.c $(LIB)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Itests/unit -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)
endif

# --- what people type ------------------------------------------------------------------------

.PHONY: deps
deps:
	tests/deps.sh build test lab

.PHONY: test
test:
	@tests/deps.sh build test lab
	@tests/run.sh

.PHONY: demo
demo:
	@tests/deps.sh build lab
	@$(MAKE) --no-print-directory -s all
	@tests/e2e/demo.sh

.PHONY: run
run: all
	$(PROGRAM) serve -c examples/quickstart/site.yaml

# Mixed load, a reload every second, a worker killed every ten: SECONDS=1200.
.PHONY: soak
soak: all
	tests/e2e/soak.sh $(if $(filter command%,$(origin SECONDS)),$(SECONDS),1200)

.PHONY: lint
lint:
	clang-format --dry-run -Werror core/*.c core/*.h $(wildcard tests/unit/*.[ch] tests/fuzz/*.c tests/bench/*.[ch] tests/cover/*.[ch])
	clang-tidy --quiet core/*.c -- -std=c11 $(CPPFLAGS) $(shell $(PKG_CONFIG) --cflags $(LIBRARIES))
	luacheck --quiet lua policies examples tests/lua tests/cover
	shellcheck -x -S warning examples/completion/*.bash tests/*.sh tests/e2e/*.sh tests/fuzz/*.sh tests/cover/*.sh tests/valgrind/*.sh .ci/run

UNITS := $(PREFIX)/lib/systemd/system

# All but kernels and the like that somebody has put there.
EXAMPLES = $$(find examples -type f ! -path '*/assets/*') $$(find examples -type f -path '*/assets/*' '(' -name 'README*' -o -name .gitignore ')')

.PHONY: install
install: all
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/moonboot
	install -D -m 644 examples/completion/moonboot.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/moonboot
	install -D -m 644 examples/completion/_moonboot $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_moonboot
	for f in examples/systemd/moonboot*.service examples/systemd/moonboot*.socket; do \
	    sed 's,/usr/local/,$(PREFIX)/,' $$f > $(BUILD)/unit.tmp && \
	    install -D -m 644 $(BUILD)/unit.tmp $(DESTDIR)$(UNITS)/$$(basename $$f); done
	install -D -m 644 examples/systemd/moonboot.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/moonboot.conf
	install -D -m 644 examples/systemd/moonboot.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/moonboot.conf
	for f in LICENSE *.md core/*.schema.json $$(find core lua policies tests -name '*.md') $(EXAMPLES); do \
	    mode=644; [ ! -x $$f ] || mode=755; \
	    install -D -m $$mode $$f $(DESTDIR)$(PREFIX)/share/doc/moonboot/$$f || exit; done

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/moonboot $(DESTDIR)$(PREFIX)/share/bash-completion/completions/moonboot \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_moonboot
	rm -f $(DESTDIR)$(UNITS)/moonboot.service $(DESTDIR)$(UNITS)/moonboot-*.socket
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/moonboot.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/moonboot.conf
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/moonboot

.PHONY: help
help:
	@echo 'make            build $(PROGRAM)  (CC=clang, SANITIZE=1: in a directory of their own)'
	@echo 'make demo       boot a virtual machine by policy, in a private network (as root)'
	@echo 'make test       run all tests; what cannot run here says why'
	@echo 'make run        serve on this host with examples/quickstart'
	@echo 'make bench      measure beside dnsmasq, in.tftpd, atftpd and nginx (as root; 15 minutes)'
	@echo 'make bench-rules  what a decision costs as rules and hosts grow'
	@echo 'make bench-log  what the decision log adds to a decision'
	@echo 'make fuzz       all fuzzers, SECONDS=60 each'
	@echo 'make cover      lines that the tests run, by file; an error below 90 % (10 minutes, as root)'
	@echo 'make valgrind   units and some end-to-end scripts under memcheck (30 minutes, as root)'
	@echo 'make soak       20 minutes of load, reloads and killed workers'
	@echo 'make install    to $$(DESTDIR)$$(PREFIX), by default /usr/local; make uninstall'
	@echo 'make lint       clang-format, clang-tidy, luacheck, shellcheck'
	@echo 'make deps       install what build, tests and lab need (Debian, as root)'
	@echo 'make clean      remove what was built'

.PHONY: clean
clean:
	rm -rf build build-*
