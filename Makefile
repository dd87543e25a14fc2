# moonwatch: exact, scriptable file watching for Linux
#
# Settings, named as LuaRocks passes them; each can be given on the command line or in the environment.
LUA        ?= lua5.4
LUA_V      ?= 5.4
CC         ?= cc
CFLAGS     ?= -O2 -g
LIBFLAG    ?= -shared
LUA_INCDIR ?=
BUILD      ?= build
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib/lua/$(LUA_V)
LUADIR     ?= $(PREFIX)/share/lua/$(LUA_V)
INCDIR     ?= $(PREFIX)/include
ARCHDIR    ?= $(PREFIX)/lib
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DESTDIR    ?=
# Random work against the oracles: see doc/torture.md.
SEEDS      ?= 1-20
OPS        ?= 5000
WRITERS    ?= 1,3
PROFILES   ?= plain
# Of a soak: how many runs of a command.
RUNS       ?= 100000
# What to run: spec files or folders, how many at once.
SPECS      ?= spec
JOBS       ?= 2
WARNINGS   ?= -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
              -Wmissing-prototypes -Werror
LUA_CFLAGS ?= $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell pkg-config --cflags lua$(LUA_V) 2>/dev/null \
              || echo -I/usr/include/lua$(LUA_V)))
LUA_LIBS   ?= $(shell pkg-config --libs lua$(LUA_V) 2>/dev/null || echo -llua$(LUA_V))
EV_LIBS    ?= -lev -lm
# Undefined behaviour traps: only so AddressSanitizer reports it into the same files, in every process.
SANITIZE   ?= -fsanitize=address,undefined -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer

# V=1 shows the commands instead of a word for each.
V          ?=

# Everything below follows from the tree: a new file in a known folder needs no line here.
LUA_CFLAGS := $(LUA_CFLAGS)
say         = @$(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,printf '%-6s %s\n' $(1) $@;)
submake     = +@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
VERSION     = $(shell sed -n 's/^\#define MOONWATCH_VERSION "\(.*\)"/\1/p' src/moonwatch.h)
BASEFLAGS   = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -Isrc $(LUA_CFLAGS) $(WARNINGS)
C_SOURCES   = $(filter-out src/host/%,$(wildcard src/*/*.c))
HOST_C      = $(filter-out src/host/preload.c,$(wildcard src/host/*.c))
LUA_SOURCES = $(sort $(wildcard lua/moonwatch/*.lua lua/moonwatch/*/*.lua))
OBJECTS     = $(C_SOURCES:src/%.c=$(BUILD)/obj/%.o)
EMBEDDED    = $(BUILD)/obj/host/preload.o $(BUILD)/gen/embedded.o
HOST_OBJ    = $(HOST_C:src/%.c=$(BUILD)/obj/%.o)
MODULE      = $(BUILD)/lib/moonwatch/core.so
ARCHIVE     = $(BUILD)/lib/libmoonwatch.a
HOST        = $(if $(wildcard src/host/main.c),$(BUILD)/bin/moonwatch)
HEADERS     = $(wildcard src/*.h src/*/*.h)
DRIVERS     = $(patsubst spec/%.c,$(BUILD)/spec/%,$(wildcard spec/*/*_driver.c))
UNITS       = $(wildcard dist/*.service)
TYPES       = $(sort $(wildcard types/*.lua types/*/*.lua))
MANPAGES    = $(wildcard doc/man/*.[1-9] doc/man/*.[1-9]lua)

all: $(MODULE) $(ARCHIVE) $(HOST)  ## build the module, the library and the host (the default)

module: $(MODULE)  ## build the Lua module alone

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(LIBFLAG) $(LDFLAGS) -o $@ $^ $(EV_LIBS)

$(ARCHIVE): $(OBJECTS) $(EMBEDDED)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BUILD)/bin/moonwatch: $(HOST_OBJ) $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -rdynamic $(LDFLAGS) -o $@ $^ $(LUA_LIBS) $(EV_LIBS)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The Lua sources as byte arrays: the host and the library need no file but themselves.
$(BUILD)/gen/embedded.c: src/host/embed.lua $(LUA_SOURCES)
	@mkdir -p $(@D)
	$(call say,EMBED)$(LUA) src/host/embed.lua $(LUA_SOURCES) > $@.new && mv $@.new $@

$(BUILD)/gen/embedded.o: $(BUILD)/gen/embedded.c
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(DRIVERS:=.d) $(OBJECTS:.o=.d) $(HOST_OBJ:.o=.d) $(EMBEDDED:.o=.d)

deps deps-run deps-test deps-check deps-bench deps-doc deps-deb:
	@sh spec/support/deps.sh $(patsubst deps-%,%,$(filter-out deps,$@))

run: deps-run  ## build, then show the first example at work on a real folder
	$(submake) all
	@BUILD=$(BUILD) $(LUA) spec/support/demo.lua

test: deps-test  ## build and run the specs (SPECS=spec/bind JOBS=2)
	$(submake) all torture-tools $(DRIVERS)
	@BUILD=$(BUILD) LUA=$(LUA) $(LUA) spec/support/run.lua -j $(JOBS) $(SPECS)

check: deps-check  ## layers, formatting, linters, documentation, instructions and calls per event
	$(submake) all $(BUILD)/bench/trial
	@BUILD=$(BUILD) LUA=$(LUA) LUA_CFLAGS="$(LUA_CFLAGS)" sh spec/support/check.sh

sanitize: deps-test  ## the specs under AddressSanitizer, UBSan and leak detection
	$(submake) BUILD=$(BUILD)/sanitize CFLAGS="-O1 -g $(SANITIZE)" \
		LDFLAGS="$(SANITIZE) -Wl,-z,nodelete" \
		all torture-tools $(BUILD)/sanitize/bin/lua $(BUILD)/sanitize/lib/leak.so \
		$(DRIVERS:$(BUILD)/%=$(BUILD)/sanitize/%)
	@LUA_PLAIN=$(LUA) BUILD=$(BUILD)/sanitize sh spec/support/sanitize.sh -j $(JOBS) $(SPECS)

valgrind: deps-check deps-test  ## the specs under valgrind: slow, so SPECS=spec/bind or less
	$(submake) all $(DRIVERS)
	@rm -rf $(BUILD)/valgrind && mkdir -p $(BUILD)/valgrind
	@BUILD=$(BUILD) LUA=$(abspath spec/support/valgrind.sh) LUA_PLAIN=$(LUA) REPORTS=$(abspath $(BUILD)/valgrind) \
		SPEC_SECONDS=1200 $(LUA) spec/support/run.lua -j $(JOBS) $(SPECS) || true
	@find $(BUILD)/valgrind -type f -exec cat {} + | grep "^==" && exit 1 || echo "nothing lost, nothing misread"

# The interpreter of the sanitized specs: the sanitizers must be in the program, and not in what it starts.
$(BUILD)/bin/lua: spec/support/lua.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) -rdynamic $(LDFLAGS) -o $@ $< $(LUA_LIBS)

$(BUILD)/lib/leak.so: spec/support/leak.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) $(LIBFLAG) $(LDFLAGS) -o $@ $<

# Programs that show a spec a part of C without Lua: spec/core/x_driver.c is BUILD/spec/core/x_driver.
$(BUILD)/spec/%_driver: spec/%_driver.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(ARCHIVE) $(LUA_LIBS) $(EV_LIBS)

$(BUILD)/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g $(WARNINGS) -o $@ $<

torture:  ## random work against the oracles (SEEDS=1-20 OPS=5000 WRITERS=1,3 PROFILES=plain)
	$(submake) all torture-tools
	@BUILD=$(BUILD) $(LUA) spec/torture/main.lua --seeds $(SEEDS) --ops $(OPS) --writers $(WRITERS) \
		--profiles $(PROFILES) $(TORTURE_FLAGS)

soak:  ## a host that runs a command 100,000 times, and what it holds by then (RUNS=100000)
	$(submake) all
	@BUILD=$(BUILD) $(LUA) spec/torture/soak.lua $(RUNS)

torture-tools: $(BUILD)/torture/worker $(BUILD)/torture/torture_probe.so

$(BUILD)/torture/worker: spec/torture/worker.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

$(BUILD)/torture/torture_probe.so: spec/torture/probe.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(BASEFLAGS) $(CFLAGS) $(LIBFLAG) $(LDFLAGS) -o $@ $<

bench: deps-bench  ## the figures of spec/bench against raw C, as ratios
	$(submake) all
	+@$(MAKE) --no-print-directory -C spec/bench BUILD=$(abspath $(BUILD)) LUA=$(LUA)

bench-overflow: deps-bench  ## writers that overflow the queue for 30 s: what recovering takes, and that all is true
	$(submake) all torture-tools
	@BUILD=$(BUILD) $(LUA) spec/bench/overflow.lua

INSTALL = install
install: all  ## install under PREFIX (DESTDIR is put in front)
	$(INSTALL) -D -m 755 $(MODULE) $(DESTDIR)$(LIBDIR)/moonwatch/core.so
	@for file in $(LUA_SOURCES:lua/%=%); do \
		$(INSTALL) -D -m 644 lua/$$file $(DESTDIR)$(LUADIR)/$$file || exit 1; done
	$(INSTALL) -D -m 644 src/moonwatch.h $(DESTDIR)$(INCDIR)/moonwatch.h
	$(INSTALL) -D -m 644 $(ARCHIVE) $(DESTDIR)$(ARCHDIR)/libmoonwatch.a
	@mkdir -p $(DESTDIR)$(ARCHDIR)/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@ARCHDIR@|$(ARCHDIR)|; s|@INCDIR@|$(INCDIR)|' \
		-e 's|@VERSION@|$(VERSION)|; s|@LUA_V@|$(LUA_V)|; s|@EV_LIBS@|$(EV_LIBS)|' \
		src/moonwatch.pc.in > $(DESTDIR)$(ARCHDIR)/pkgconfig/moonwatch.pc
	@for file in $(TYPES); do \
		$(INSTALL) -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/moonwatch/$$file || exit 1; done
	@for page in $(MANPAGES); do section=$${page##*.}; \
		$(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${section%lua}/$${page##*/} || exit 1; done
	@$(foreach pair,$(COMPLETION),$(INSTALL) -D -m 644 completion/$(subst :, $(DESTDIR)$(PREFIX)/share/,$(pair)) &&) true
	$(if $(HOST),$(INSTALL) -D -m 755 $(HOST) $(DESTDIR)$(BINDIR)/moonwatch)
	@mkdir -p $(DESTDIR)$(UNITDIR)
	@for unit in $(UNITS); do sed 's|/usr/bin/moonwatch|$(BINDIR)/moonwatch|' $$unit \
		> $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done

# Where the shells look: file:place.
COMPLETION = $(foreach pair,moonwatch.bash:bash-completion/completions/moonwatch \
	_moonwatch:zsh/site-functions/_moonwatch moonwatch.fish:fish/vendor_completions.d/moonwatch.fish, \
	$(if $(wildcard completion/$(firstword $(subst :, ,$(pair)))),$(pair)))

uninstall:  ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/moonwatch $(DESTDIR)$(INCDIR)/moonwatch.h
	rm -f $(DESTDIR)$(ARCHDIR)/libmoonwatch.a $(DESTDIR)$(ARCHDIR)/pkgconfig/moonwatch.pc
	rm -rf $(DESTDIR)$(LIBDIR)/moonwatch $(DESTDIR)$(LUADIR)/moonwatch $(DESTDIR)$(PREFIX)/share/moonwatch
	rm -f $(UNITS:dist/%=$(DESTDIR)$(UNITDIR)/%)
	@for page in $(MANPAGES); do section=$${page##*.}; \
		rm -f $(DESTDIR)$(MANDIR)/man$${section%lua}/$${page##*/}; done
	@rm -f $(foreach pair,$(COMPLETION),$(DESTDIR)$(PREFIX)/share/$(lastword $(subst :, ,$(pair))))

doc: deps-doc  ## the pages and the reference of every function as HTML, in BUILD/doc/html
	@rm -rf $(BUILD)/doc && mkdir -p $(BUILD)/doc/source $(BUILD)/doc/pages
	@$(LUA) doc/reference/generate.lua $(BUILD)/doc/source types/moonwatch.lua types/rules.lua \
		types/testing.lua types/adapters.lua types/compat/inotify.lua
	@for page in doc/*.md; do sed 's/](\([a-z]*\.md\)/](\1.html/g' $$page > $(BUILD)/doc/pages/$${page##*/}; done
	@{ cat config.ld; echo 'topics = { "$(abspath $(BUILD))/doc/pages" }'; } > $(BUILD)/doc/config.ld
	@ldoc --fatalwarnings -q -f discount -c $(BUILD)/doc/config.ld -d $(BUILD)/doc/html $(BUILD)/doc/source
	@echo $(BUILD)/doc/html/index.html

# All that git does not ignore; without git, all that is there but what was built.
RELEASE = moonwatch-$(VERSION)
DIST    = $(BUILD)/dist/$(RELEASE).tar.gz
dist:  ## the source archive of a release, in BUILD/dist
	@mkdir -p $(BUILD)/dist
	@{ git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f ! -path './$(BUILD)/*' -printf '%P\n'; } | \
		tar --sort=name --owner=0 --group=0 --numeric-owner --transform 's|^|$(RELEASE)/|' -czf $(DIST) -T -
	@echo $(DIST)

src-rock: dist  ## the same as a rock that is built without a network
	@rm -f $(BUILD)/dist/$(RELEASE)-1.src.rock
	@zip -q -X -j $(BUILD)/dist/$(RELEASE)-1.src.rock rocks/$(RELEASE)-1.rockspec $(DIST)
	@echo $(BUILD)/dist/$(RELEASE)-1.src.rock

# As Debian lays things out; see dist/debian.
DEB_LIB = /usr/lib/$(shell dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null)
DEB_DIR = $(BUILD)/dist
deb: deps-deb  ## a Debian package of the tree, in BUILD/dist
	$(submake) all
	@rm -rf $(DEB_DIR)/stage && mkdir -p $(DEB_DIR)/stage
	+@$(MAKE) --no-print-directory -s install DESTDIR=$(DEB_DIR)/stage PREFIX=/usr LIBDIR=$(DEB_LIB)/lua/$(LUA_V) \
		ARCHDIR=$(DEB_LIB) UNITDIR=/usr/lib/systemd/system
	@sh dist/debian/build.sh $(DEB_DIR)/stage $(VERSION) $(DEB_DIR)
	@rm -rf $(DEB_DIR)/stage

rocks:  ## write the rockspecs' list of Lua files anew
	@for rock in rocks/*.rockspec; do $(LUA) rocks/update.lua $$rock $(LUA_SOURCES) || exit 1; done

format:  ## bring the C sources into their form
	clang-format -i $(wildcard src/*.[ch] src/*/*.[ch] spec/*/*.[ch])

clean:  ## remove what was built
	rm -rf $(BUILD)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

.DELETE_ON_ERROR:
.PHONY: doc dist src-rock deb all module run test check sanitize valgrind torture torture-tools soak bench bench-overflow install uninstall rocks format clean help \
	deps deps-run deps-test deps-check deps-bench deps-doc deps-deb
