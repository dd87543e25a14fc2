-- SPDX-License-Identifier: MIT
-- A rule that runs a command as soon as a file is saved: FILE COMMAND.
rule "stamp" { watch = arg[1], on = "modify", settle = 0, run = { arg[2] } }
