import { openSqliteEngine } from "../../backends/mod.ts";
import { engineSuite } from "../conformance/suite.ts";

engineSuite({ name: "SQLite engine:", isPersistent: true, open: openSqliteEngine });
