-- SPDX-License-Identifier: MIT
-- An interpreter with the module and nothing else: what is to be taken off where memory is counted.
require "moonwatch"
print "ready"
io.stdout:flush()
io.read()
