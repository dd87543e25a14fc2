-- Builds when a source is saved; a save during a build stops it and starts it anew.
--
--    $ mkdir src; printf 'all:\n\t@echo "built from $$(ls src | wc -l) source"\n' > Makefile
--    $ moonwatch examples/build.lua &
--    $ echo 'int main(void) { return 0; }' > src/main.c
--    built from 1 source

rule "build" {
   watch  = "src/**/*.{c,h}",
   settle = 0.2,
   run    = { "make", "--no-print-directory" },
   busy   = "restart",
}
