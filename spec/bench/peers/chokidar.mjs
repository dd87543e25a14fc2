// SPDX-License-Identifier: MIT
// chokidar: DIR; found in BUILD/bench/node_modules (NODE_PATH does not hold for modules).
import { createRequire } from "node:module";
const require = createRequire(process.env.NODE_MODULES + "/");
const { default: chokidar } = await import(require.resolve("chokidar"));

let count = 0;
chokidar
  .watch(process.argv[2], { ignoreInitial: true })
  .on("all", (op, path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name.startsWith("end-")) {
      console.log(name, count);
      count = 0;
    } else count++;
  })
  .on("ready", () => console.log("ready"));
