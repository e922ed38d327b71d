import { openMemoryEngine } from "../../backends/mod.ts";
import { engineSuite } from "../conformance/suite.ts";

engineSuite({
  name: "memory engine:",
  isPersistent: false,
  open: () => Promise.resolve(openMemoryEngine()),
});
