/** YugabyteDB.
 *
 * @module
 */

import type { Dialect } from "../dialect.ts";
import { POSTGRESQL_BACKEND } from "./postgresql.ts";

/** YugabyteDB, whose primary keys are hashed unless they say how they are ordered. */
export const YUGABYTEDB: Dialect = {
  name: "yugabytedb",
  isVersion: (version) => version.includes("-YB-"),
  keyColumns: "k bytea, v bytea NOT NULL, PRIMARY KEY (k ASC)",
  // Each node takes numbers in advance.
  hasFeed: false,
  beginStale: (ms) => [
    "BEGIN READ ONLY",
    "SET LOCAL yb_read_from_followers = true",
    `SET LOCAL yb_follower_read_staleness_ms = ${ms}`,
  ],
  ...POSTGRESQL_BACKEND,
};
