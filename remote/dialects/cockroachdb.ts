/** CockroachDB.
 *
 * @module
 */

import type { Dialect } from "../dialect.ts";

/** CockroachDB. */
export const COCKROACHDB: Dialect = {
  name: "cockroachdb",
  isVersion: (version) => version.startsWith("CockroachDB"),
  keyColumns: "k BYTES PRIMARY KEY, v BYTES NOT NULL",
  // Numbers are not given in order, and serializable transactions take locks for advice.
  hasFeed: false,
  beginStale: (ms) => [`BEGIN READ ONLY AS OF SYSTEM TIME '-${ms}ms'`],
  // The node keeps the transaction of a client that it does not hear of alive, until TCP finds out or the cluster's
  // `sql.defaults.idle_in_transaction_session_timeout` ends it. A role may end its own sessions.
  backend: { text: "SHOW session_id" },
  terminate: (backend) => ({
    text: "CANCEL SESSIONS IF EXISTS SELECT $1::STRING",
    values: backend,
  }),
};
