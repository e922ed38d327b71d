/** YugabyteDB.
 *
 * @module
 */

import type { Dialect } from "../dialect.ts";
import { POSTGRESQL_BACKEND } from "./postgresql.ts";

/** Twice the clock skew that it allows for by default (`max_clock_skew_usec`): it refuses to read less stale, and the
 * newest state is no more stale than was asked for. */
const STALE_MS_MIN = 1000;

/** YugabyteDB, whose primary keys are hashed unless they say how they are ordered. */
export const YUGABYTEDB: Dialect = {
  name: "yugabytedb",
  isVersion: (version) => version.includes("-YB-"),
  keyColumns: "k bytea, v bytea NOT NULL, PRIMARY KEY (k ASC)",
  // Each node takes numbers in advance.
  hasFeed: false,
  beginStale: (ms) =>
    ms < STALE_MS_MIN ? ["BEGIN READ ONLY"] : [
      "BEGIN READ ONLY",
      // Before the other one, which fixes the time that is read.
      `SET LOCAL yb_follower_read_staleness_ms = ${ms}`,
      "SET LOCAL yb_read_from_followers = true",
    ],
  ...POSTGRESQL_BACKEND,
};
