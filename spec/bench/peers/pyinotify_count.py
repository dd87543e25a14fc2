# SPDX-License-Identifier: MIT
"""pyinotify: DIR; adds what is below by itself."""
import sys
import pyinotify

MASK = (pyinotify.IN_CREATE | pyinotify.IN_CLOSE_WRITE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM
        | pyinotify.IN_MOVED_TO)


class Handler(pyinotify.ProcessEvent):
    count = 0

    def process_default(self, event):
        if event.name.startswith("end-"):
            print(event.name, self.count, flush=True)
            self.count = 0
        else:
            self.count += 1


manager = pyinotify.WatchManager()
notifier = pyinotify.Notifier(manager, Handler())
manager.add_watch(sys.argv[1], MASK, rec=True, auto_add=True)
print("ready", flush=True)
notifier.loop()
