rockspec_format = "3.0"
package = "moonwatch"
version = "scm-1"
source = {
   url = "git+https://github.com/moonwatch/moonwatch.git",
}
description = {
   summary = "Exact, scriptable file watching for Linux",
   detailed = [[
      inotify objects one to one with the kernel, watchers that follow whole trees without losing or repeating a
      change, tasks, processes, and rules that say what is to happen: as a module and as the program `moonwatch`.
   ]],
   homepage = "https://github.com/moonwatch/moonwatch",
   license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
   "lua >= 5.4, < 5.5",
   "argparse >= 0.7",
   "dkjson >= 2.5",
}
external_dependencies = {
   LIBEV = { header = "ev.h" },
}
build = {
   type = "make",
   build_target = "module",
   build_variables = {
      BUILD = "build/rock",
      CC = "$(CC)",
      CFLAGS = "$(CFLAGS)",
      LIBFLAG = "$(LIBFLAG)",
      LUA_INCDIR = "$(LUA_INCDIR)",
      WARNINGS = "",
   },
   install_pass = false,
   install = {
      bin = { moonwatch = "rocks/moonwatch" },
      lib = { ["moonwatch.core"] = "build/rock/lib/moonwatch/core.so" },
      -- Every file of lua/: `make rocks` writes this list anew.
      lua = {
         ["moonwatch.changes"] = "lua/moonwatch/changes.lua",
         ["moonwatch.cli"] = "lua/moonwatch/cli.lua",
         ["moonwatch.cli.check"] = "lua/moonwatch/cli/check.lua",
         ["moonwatch.cli.client"] = "lua/moonwatch/cli/client.lua",
         ["moonwatch.cli.control"] = "lua/moonwatch/cli/control.lua",
         ["moonwatch.cli.events"] = "lua/moonwatch/cli/events.lua",
         ["moonwatch.cli.exec"] = "lua/moonwatch/cli/exec.lua",
         ["moonwatch.cli.exit"] = "lua/moonwatch/cli/exit.lua",
         ["moonwatch.cli.explain"] = "lua/moonwatch/cli/explain.lua",
         ["moonwatch.cli.format"] = "lua/moonwatch/cli/format.lua",
         ["moonwatch.cli.gauges"] = "lua/moonwatch/cli/gauges.lua",
         ["moonwatch.cli.host"] = "lua/moonwatch/cli/host.lua",
         ["moonwatch.cli.json"] = "lua/moonwatch/cli/json.lua",
         ["moonwatch.cli.limits"] = "lua/moonwatch/cli/limits.lua",
         ["moonwatch.cli.log"] = "lua/moonwatch/cli/log.lua",
         ["moonwatch.cli.logging"] = "lua/moonwatch/cli/logging.lua",
         ["moonwatch.cli.metrics"] = "lua/moonwatch/cli/metrics.lua",
         ["moonwatch.cli.notify"] = "lua/moonwatch/cli/notify.lua",
         ["moonwatch.cli.options"] = "lua/moonwatch/cli/options.lua",
         ["moonwatch.cli.pause"] = "lua/moonwatch/cli/pause.lua",
         ["moonwatch.cli.place"] = "lua/moonwatch/cli/place.lua",
         ["moonwatch.cli.record"] = "lua/moonwatch/cli/record.lua",
         ["moonwatch.cli.reload"] = "lua/moonwatch/cli/reload.lua",
         ["moonwatch.cli.replay"] = "lua/moonwatch/cli/replay.lua",
         ["moonwatch.cli.report"] = "lua/moonwatch/cli/report.lua",
         ["moonwatch.cli.resume"] = "lua/moonwatch/cli/resume.lua",
         ["moonwatch.cli.run"] = "lua/moonwatch/cli/run.lua",
         ["moonwatch.cli.status"] = "lua/moonwatch/cli/status.lua",
         ["moonwatch.cli.stop"] = "lua/moonwatch/cli/stop.lua",
         ["moonwatch.cli.summary"] = "lua/moonwatch/cli/summary.lua",
         ["moonwatch.cli.supervise"] = "lua/moonwatch/cli/supervise.lua",
         ["moonwatch.cli.survey"] = "lua/moonwatch/cli/survey.lua",
         ["moonwatch.cli.tail"] = "lua/moonwatch/cli/tail.lua",
         ["moonwatch.cli.trigger"] = "lua/moonwatch/cli/trigger.lua",
         ["moonwatch.cli.trust"] = "lua/moonwatch/cli/trust.lua",
         ["moonwatch.cli.wait"] = "lua/moonwatch/cli/wait.lua",
         ["moonwatch"] = "lua/moonwatch/init.lua",
         ["moonwatch.process"] = "lua/moonwatch/process.lua",
         ["moonwatch.rule.action"] = "lua/moonwatch/rule/action.lua",
         ["moonwatch.rule.batch"] = "lua/moonwatch/rule/batch.lua",
         ["moonwatch.rule.budget"] = "lua/moonwatch/rule/budget.lua",
         ["moonwatch.rule.clock"] = "lua/moonwatch/rule/clock.lua",
         ["moonwatch.rule.declare"] = "lua/moonwatch/rule/declare.lua",
         ["moonwatch.rule.engine"] = "lua/moonwatch/rule/engine.lua",
         ["moonwatch.rule.fields"] = "lua/moonwatch/rule/fields.lua",
         ["moonwatch.rule.guard"] = "lua/moonwatch/rule/guard.lua",
         ["moonwatch.rule.log"] = "lua/moonwatch/rule/log.lua",
         ["moonwatch.rule.place"] = "lua/moonwatch/rule/place.lua",
         ["moonwatch.rule.queue"] = "lua/moonwatch/rule/queue.lua",
         ["moonwatch.rule.require"] = "lua/moonwatch/rule/require.lua",
         ["moonwatch.rule.runtime"] = "lua/moonwatch/rule/runtime.lua",
         ["moonwatch.rule.set"] = "lua/moonwatch/rule/set.lua",
         ["moonwatch.rule.spec"] = "lua/moonwatch/rule/spec.lua",
         ["moonwatch.rule.succession"] = "lua/moonwatch/rule/succession.lua",
         ["moonwatch.rule.template"] = "lua/moonwatch/rule/template.lua",
         ["moonwatch.rule.timers"] = "lua/moonwatch/rule/timers.lua",
         ["moonwatch.rule.verdict"] = "lua/moonwatch/rule/verdict.lua",
         ["moonwatch.rule.world"] = "lua/moonwatch/rule/world.lua",
         ["moonwatch.rules"] = "lua/moonwatch/rules.lua",
         ["moonwatch.task"] = "lua/moonwatch/task.lua",
         ["moonwatch.testing"] = "lua/moonwatch/testing.lua",
         ["moonwatch.watcher"] = "lua/moonwatch/watcher.lua",
      },
   },
   copy_directories = { "examples" },
}
