/** The contract of the store on a cluster: PostgreSQL, CockroachDB or YugabyteDB, over `pg`.
 *
 * @module
 */

export { RemoteBatch } from "./batch.ts";
export type { Connection } from "./connection.ts";
export type { DialectName } from "./dialect.ts";
export type { RemoteChangesOptions } from "./feed.ts";
export { REMOTE_KEY_BYTES_MAX, type RemoteOptions } from "./options.ts";
export { RemoteReader, type StaleOptions } from "./reader.ts";
export { RemotePart, RemoteStore, RemoteView } from "./remote_store.ts";
export { RemoteSnapshot } from "./snapshot.ts";
export { RemoteTransaction } from "./transaction.ts";
