-- Builds when a source is saved; a save during a build stops it and starts it anew.
--
--    $ mkdir src; printf 'all:\n\t@echo built from $(wildcard src/*.c)\n' > Makefile
--    $ moonwatch examples/build.lua &
--    $ echo 'int main(void) { return 0; }' > src/main.c
--    built from src/main.c

rule "build" {
   watch  = "src/**/*.{c,h}",
   settle = 0.2,
   run    = { "make", "--no-print-directory" },
   busy   = "restart",
}
