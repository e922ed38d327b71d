import { openLmdbEngine } from "../../backends/mod.ts";
import { engineSuite } from "../conformance/suite.ts";

engineSuite({ name: "LMDB engine:", isPersistent: true, open: openLmdbEngine });
