# SPDX-License-Identifier: MIT
"""watchdog: DIR."""
import os
import sys
import threading
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer


class Handler(FileSystemEventHandler):
    count = 0

    def on_any_event(self, event):
        name = os.path.basename(event.src_path)
        if name.startswith("end-"):
            print(name, self.count, flush=True)
            self.count = 0
        else:
            self.count += 1


observer = Observer()
observer.schedule(Handler(), sys.argv[1], recursive=True)
observer.start()
print("ready", flush=True)
threading.Event().wait()
