/** PostgreSQL.
 *
 * @module
 */

import type { Dialect } from "../dialect.ts";

/** Also for what is made of PostgreSQL. Each role may end its own connections. */
export const POSTGRESQL_BACKEND: Pick<Dialect, "terminate" | "backend"> = {
  // Numbers of processes are used again: the time makes sure that it is that one, and of that server.
  backend: {
    text: "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()",
  },
  terminate: (backend) => ({
    text: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
      "WHERE pid = $1::integer AND backend_start = $2::timestamptz",
    values: backend,
  }),
};

/** PostgreSQL, and what says that it is one. */
export const POSTGRESQL: Dialect = {
  name: "postgresql",
  isVersion: (version) => version.startsWith("PostgreSQL"),
  keyColumns: "k bytea PRIMARY KEY, v bytea NOT NULL",
  hasFeed: true,
  // A standby is a server of its own, with a URL of its own.
  beginStale: () => undefined,
  ...POSTGRESQL_BACKEND,
};
