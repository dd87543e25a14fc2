// SPDX-License-Identifier: MIT
// @parcel/watcher: DIR.
import { createRequire } from "node:module";
const require = createRequire(process.env.NODE_MODULES + "/");
const { default: watcher } = await import(require.resolve("@parcel/watcher"));

let count = 0;
await watcher.subscribe(process.argv[2], (error, events) => {
  for (const { path } of events) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name.startsWith("end-")) {
      console.log(name, count);
      count = 0;
    } else count++;
  }
}, { backend: "inotify" }); // else it asks a watchman, and leaves that running
console.log("ready");
