# moonwatch: exact, scriptable file watching for Linux
#
# Settings; each can be given on the command line or in the environment.
LUA      ?= lua5.4
LUAC_V   ?= 5.4
CC       ?= cc
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
CFLAGS   ?= -O2 -g
WARNINGS ?= -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Werror
LUA_CFLAGS ?= $(shell pkg-config --cflags lua5.4 2>/dev/null)
LUA_LIBS   ?= $(shell pkg-config --libs lua5.4 2>/dev/null)
EV_LIBS    ?= -lev

BASEFLAGS = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -Isrc $(LUA_CFLAGS) $(WARNINGS)
SOURCES   = $(filter-out src/host/%,$(wildcard src/*/*.c))
OBJECTS   = $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MODULE    = $(BUILD)/lib/moonwatch/core.so

all: $(MODULE)  ## build the module and the host

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -o $@ $^ $(EV_LIBS)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(BASEFLAGS) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

clean:  ## remove what was built
	rm -rf $(BUILD)

.PHONY: all clean
