# Reeve's build. `make` builds everything into $(BUILD); `make help` lists the targets.
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
OBJCOPY ?= objcopy
VERSION := $(shell cat scripts/version)

PKGS := libzmq hiredis libprotobuf-c libuv yaml-0.1 libidn2 libpsl libsodium zlib libmaxminddb glib-2.0
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS)) -lunistring -lm
# What the node alone needs, to ask other servers whether a recipient exists: directory servers, and TLS of SMTP hosts.
NODE_LIBS  := $(shell pkg-config --libs ldap lber openssl)
# What `reevectl import` reads: postgrey's Berkeley DB (without a .pc file), sqlgrey's SQLite.
CTL_LIBS   := -ldb-5.3 $(shell pkg-config --libs sqlite3)
# What asks DNS needs: the node, of lists; reeve-policyd, of SPF.
DNS_LIBS   := $(shell pkg-config --libs libcares) -lresolv
# What libreeve alone needs: it must not drag the node's libraries into a gateway.
LIB_LIBS   := $(shell pkg-config --libs libzmq libprotobuf-c) -lpthread

OPT      ?= -O2 -g
HARDEN   ?= -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wcast-qual \
            -Wwrite-strings -Wvla -Wundef -Wswitch-enum
WERROR   ?=
SAN      ?=
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) -DREEVE_VERSION='"$(VERSION)"'
ALL_CFLAGS  = -std=c11 $(OPT) $(HARDEN) $(WARN) $(WERROR) $(SAN) -fPIC -fvisibility=hidden $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(SAN) -Wl,-z,relro,-z,now $(LDFLAGS)

PROTO_SRC  := $(wildcard proto/*.c proto/base/*.c)
NODE_SRC   := $(filter-out node/main.c,$(wildcard node/*.c node/*/*.c))
LIB_SRC    := $(wildcard client/lib/*.c)
SPF_SRC    := $(wildcard client/spf/*.c)
POLICYD_SRC := $(filter-out client/policyd/main.c,$(wildcard client/policyd/*.c))
LOAD_SRC   := $(filter-out client/load/main.c,$(wildcard client/load/*.c)) client/ctl/json.c client/ctl/import/csv.c client/ctl/import/lines.c
# Of proto/, what a gateway's library needs (no loop, no yaml, no address parsing).
LIB_PROTO  := proto/err.c proto/text.c $(wildcard proto/wire*.c) proto/base/mem.c proto/base/clock.c
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PB_OBJ     := $(BUILD)/obj/proto/reeve.pb-c.o
PROGRAMS   := $(BUILD)/reeved $(BUILD)/reevectl $(BUILD)/reeve-policyd $(BUILD)/reeve-load
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
UNITS      := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)

.PHONY: all help check test bench fuzz asan scenario pools unit install clean
all: $(PROGRAMS) $(BUILD)/libreeve.a $(BUILD)/libreeve.so $(BUILD)/reeve.pc

help:
	@echo 'make                      programs and library into $(BUILD)/'
	@echo 'make check                format, analyzers, include walls, spelling (scripts/check)'
	@echo 'make test                 everything that ./scripts/test runs'
	@echo 'make unit                 unit tests alone'
	@echo 'make scenario [SCN=file]  all scenarios, or one; prints each line that did not hold, with its trace'
	@echo 'make pools                schedules of big senders whose retries come from other machines: who waits how long'
	@echo 'make asan                 unit, scenario and fuzz corpus under AddressSanitizer and UBSan'
	@echo 'make fuzz [TARGET=wire SECONDS=60]  libFuzzer on one parser (clang)'
	@echo 'make bench                all benches (tests/bench/README.md); tests/bench/run PART for one'
	@echo 'make install DESTDIR= PREFIX='

# ---- generated
$(BUILD)/proto/reeve.pb-c.c: proto/reeve.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=. --c_out=$(BUILD) proto/reeve.proto
$(BUILD)/proto/reeve.pb-c.h: $(BUILD)/proto/reeve.pb-c.c ;
$(PB_OBJ): $(BUILD)/proto/reeve.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 $(OPT) $(SAN) -fPIC -fvisibility=hidden $(PKG_CFLAGS) -c -o $@ $<

# ---- objects
$(BUILD)/obj/%.o: %.c | $(BUILD)/proto/reeve.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libproto.a: $(call obj,$(PROTO_SRC)) $(PB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libnode.a: $(call obj,$(NODE_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libclient.a: $(call obj,$(LIB_SRC) $(LIB_PROTO)) $(PB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
# What is installed: one object in which only reeve_* can be seen, so that no name of ours meets one of a gateway's.
$(BUILD)/libreeve.a: $(call obj,$(LIB_SRC) $(LIB_PROTO)) $(PB_OBJ)
	$(LD) -r -o $(BUILD)/libreeve.o $^
	$(OBJCOPY) --localize-hidden $(BUILD)/libreeve.o
	rm -f $@ && $(AR) rcs $@ $(BUILD)/libreeve.o
# policyd without its main: for its tests, and its request parser for reevectl
$(BUILD)/libpolicyd.a: $(call obj,$(POLICYD_SRC))
	rm -f $@ && $(AR) rcs $@ $^
# reeve-load without its main: for its tests, and for benches that ask the same questions
$(BUILD)/libload.a: $(call obj,$(LOAD_SRC))
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libspf.a: $(call obj,$(SPF_SRC))
	rm -f $@ && $(AR) rcs $@ $^

# ---- programs
$(BUILD)/reeved: $(call obj,node/main.c) $(BUILD)/libnode.a $(BUILD)/libproto.a
	$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(PKG_LIBS) $(NODE_LIBS) $(DNS_LIBS)
$(BUILD)/reevectl: $(call obj,$(wildcard client/ctl/*.c client/ctl/*/*.c)) $(BUILD)/libpolicyd.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(PKG_LIBS) $(CTL_LIBS)
$(BUILD)/reeve-policyd: $(call obj,client/policyd/main.c) $(BUILD)/libpolicyd.a $(BUILD)/libspf.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(PKG_LIBS) $(DNS_LIBS)
$(BUILD)/reeve-load: $(call obj,client/load/main.c) $(BUILD)/libload.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(PKG_LIBS)

# ---- the library
# nodelete: a lookup that hangs may still be in its thread when a gateway that has loaded the library unloads it.
SOVERSION := 0
$(BUILD)/libreeve.so.$(SOVERSION): $(call obj,$(LIB_SRC) $(LIB_PROTO)) $(PB_OBJ)
	$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,libreeve.so.$(SOVERSION) -Wl,-z,nodelete -o $@ $^ $(LIB_LIBS)
$(BUILD)/libreeve.so: $(BUILD)/libreeve.so.$(SOVERSION)
	ln -sf libreeve.so.$(SOVERSION) $@
$(BUILD)/reeve.pc: client/lib/reeve.pc.in scripts/version
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

# ---- unit tests: one program a file
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libnode.a $(BUILD)/libpolicyd.a $(BUILD)/libspf.a $(BUILD)/libload.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(NODE_LIBS) $(CTL_LIBS) $(DNS_LIBS) -lcmocka
.PRECIOUS: $(BUILD)/obj/%.o
# Those that need nothing but the pure room and DNS lists, linked without the others: scripts/mutate builds them hundreds of times.
$(BUILD)/pure/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(wildcard node/core/*.c node/dnslist/*.c)) $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(DNS_LIBS) -lcmocka
unit: $(UNITS)
	scripts/run-units $(UNITS)

# ---- scenarios: the node with a scripted clock and a store in memory, chosen when linking
SCENARIO_SRC := $(wildcard tests/scenario/*.c tests/support/store_memory*.c) tests/support/clock_scripted.c \
    tests/support/loop_scripted.c
SCENARIO_NODE := $(filter-out node/store/% node/net/% node/probe/%,$(NODE_SRC)) node/store/mirror.c node/store/since.c \
    node/store/named.c node/store/bans.c \
    node/store/directory_table.c node/store/document_name.c
$(BUILD)/scenario: $(call obj,$(SCENARIO_SRC) $(SCENARIO_NODE)) $(BUILD)/libproto.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lresolv
scenario: $(BUILD)/scenario
	$(BUILD)/scenario $(or $(SCN),$(sort $(wildcard tests/scenario/*.scn)))
pools: $(BUILD)/scenario
	BUILD=$(BUILD) scripts/pools

# ---- fuzzing: each target also replays its corpus as an ordinary program (tests/fuzz/replay.c gives it a main)
$(BUILD)/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(BUILD)/libnode.a $(BUILD)/libpolicyd.a $(BUILD)/libspf.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(NODE_LIBS) $(DNS_LIBS)
FUZZ_REPLAYS := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(BUILD)/fuzz/replay_%)
.PHONY: fuzz-corpus
fuzz-corpus: $(FUZZ_REPLAYS)
	scripts/run-corpus $(FUZZ_REPLAYS)
TARGET  ?= wire
SECONDS ?= 60
fuzz:
	scripts/fuzz $(TARGET) $(SECONDS)

asan:
	$(MAKE) BUILD=$(BUILD)/asan OPT='-O1 -g -fno-omit-frame-pointer' HARDEN= \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=all' unit scenario fuzz-corpus

# ---- benches: what they need beside the programs
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libnode.a $(BUILD)/libload.a $(BUILD)/libclient.a $(BUILD)/libproto.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(NODE_LIBS)

# For scripts/: every test program, built but not run; the flags of a compilation, quoted for a shell, and the libraries.
.PHONY: test-programs print-flags print-libs
test-programs: $(UNITS) $(BUILD)/scenario $(FUZZ_REPLAYS) $(BENCHES)
print-flags:
	@: $(info $(CPPFLAGS) -std=c11 $(WARN) $(PKG_CFLAGS))
print-libs:
	@: $(info $(PKG_LIBS) $(NODE_LIBS) $(DNS_LIBS))

check:
	scripts/check
test:
	scripts/test
bench: all
	BUILD=$(BUILD) tests/bench/run

MAN1 := client/ctl/reevectl.1 client/load/reeve-load.1
MAN3 := client/lib/reeve.3
MAN5 := node/reeve.yaml.5 node/policy/reeve-policy.5 client/policyd/reeve-policyd.yaml.5 \
        client/ctl/policy/reeve-policy-test.5
MAN8 := node/reeved.8 client/policyd/reeve-policyd.8
SYSTEMD_UNITS := $(wildcard deploy/systemd/*.service)
install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,sbin bin lib lib/pkgconfig include share/reeve \
	    share/man/man1 share/man/man3 share/man/man5 share/man/man8 lib/systemd/system)
	install -m 755 $(BUILD)/reeved $(BUILD)/reeve-policyd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(BUILD)/reevectl $(BUILD)/reeve-load $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(BUILD)/libreeve.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/libreeve.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libreeve.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/libreeve.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' client/lib/reeve.pc.in > \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig/reeve.pc
	install -m 644 client/lib/reeve.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 proto/reeve.proto deploy/reeve.yaml deploy/policy.yaml deploy/policy-test.yaml deploy/replay.yaml deploy/reeve-policyd.yaml \
	    $(DESTDIR)$(PREFIX)/share/reeve/
	install -d $(DESTDIR)$(PREFIX)/share/reeve/postfix
	install -m 644 deploy/redis/reeve.acl $(DESTDIR)$(PREFIX)/share/reeve/
	install -m 755 scripts/geo-update scripts/asn-database $(DESTDIR)$(PREFIX)/share/reeve/
	install -m 644 deploy/mta/postfix/main.cf deploy/mta/postfix/submission.cf deploy/mta/postfix/README.md $(DESTDIR)$(PREFIX)/share/reeve/postfix/
	for unit in $(notdir $(SYSTEMD_UNITS)); do \
	    sed 's|@PREFIX@|$(PREFIX)|' deploy/systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(BUILD)/reevectl completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/reevectl
	$(BUILD)/reevectl completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_reevectl
	chmod 644 $(DESTDIR)$(PREFIX)/share/bash-completion/completions/reevectl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_reevectl
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(MAN3) $(DESTDIR)$(PREFIX)/share/man/man3/
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8/

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
