/** What one writes by hand on `pg` for the same works, on a table like that of a remote store.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import pg from "pg";

const POOL_SIZE = 10;
/** As long as the longest pages of a remote store. */
const PAGE_ROWS = 4096;
const UPSERT = "ON CONFLICT (k) DO UPDATE SET v = excluded.v";

/** A row: a key and a value. */
export type Pair = readonly [key: Uint8Array, value: Uint8Array];

/** A table of keys, and one of counters, with a connection and a pool. */
export class HandWritten {
  readonly #client: pg.Client;
  readonly #pool: pg.Pool;
  readonly #table: string;

  private constructor(client: pg.Client, pool: pg.Pool, table: string) {
    this.#client = client;
    this.#pool = pool;
    this.#table = table;
  }

  /** Connects, and creates the tables. */
  static async open(url: string, table: string): Promise<HandWritten> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE TABLE ${table} (k bytea PRIMARY KEY, v bytea NOT NULL)`);
    await client.query(`CREATE TABLE ${table}_counters (k bytea PRIMARY KEY, n bigint NOT NULL)`);
    const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE });
    return new HandWritten(client, pool, table);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { rows } = await this.#client.query({
      name: "get",
      text: `SELECT v FROM ${this.#table} WHERE k = $1`,
      values: [buffer(key)],
    });
    return rows[0]?.v;
  }

  async put([key, value]: Pair): Promise<void> {
    await this.#client.query(this.#put(key, value));
  }

  /** Puts on whichever connection of the pool is free. */
  async putPooled([key, value]: Pair): Promise<void> {
    await this.#pool.query(this.#put(key, value));
  }

  /** Puts some keys in one statement of two arrays. */
  async putUnnest(pairs: readonly Pair[]): Promise<void> {
    await this.#client.query({
      name: "unnest",
      text: `INSERT INTO ${this.#table} (k, v) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ` +
        UPSERT,
      values: [pairs.map(([key]) => buffer(key)), pairs.map(([, value]) => buffer(value))],
    });
  }

  /** Puts some keys in one statement with two parameters for each. */
  async putValues(pairs: readonly Pair[]): Promise<void> {
    const rows = pairs.map((_, i) => `($${2 * i + 1}, $${2 * i + 2})`);
    await this.#client.query({
      name: `values${pairs.length}`,
      text: `INSERT INTO ${this.#table} (k, v) VALUES ${rows.join(", ")} ${UPSERT}`,
      values: pairs.flatMap(([key, value]) => [buffer(key), buffer(value)]),
    });
  }

  /** Reads the keys behind one in pages, and returns how many there were.
   *
   * @param most How many are read at most.
   */
  async scan(from: Uint8Array, most: number): Promise<number> {
    let found = 0;
    let last = from;
    for (;;) {
      const wanted = Math.min(PAGE_ROWS, most - found);
      const { rows } = await this.#client.query<{ k: Uint8Array; v: Uint8Array }>({
        name: "page",
        text: `SELECT k, v FROM ${this.#table} WHERE k > $1 ORDER BY k LIMIT $2`,
        values: [buffer(last), wanted],
      });
      found += rows.length;
      if (rows.length < wanted || found >= most) return found;
      last = rows.at(-1)!.k;
    }
  }

  /** Adds to a counter, and returns its new value. */
  async add(key: Uint8Array, delta: bigint): Promise<bigint> {
    const { rows } = await this.#pool.query({
      name: "add",
      text: `INSERT INTO ${this.#table}_counters AS c (k, n) VALUES ($1, $2) ` +
        "ON CONFLICT (k) DO UPDATE SET n = c.n + excluded.n RETURNING n",
      values: [buffer(key), delta],
    });
    return BigInt(rows[0].n);
  }

  /** Opens another connection to the same tables. */
  async another(url: string): Promise<HandWritten> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new HandWritten(client, new pg.Pool({ connectionString: url, max: 1 }), this.#table);
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await Promise.all([this.#client.end(), this.#pool.end()]);
  }

  /** Removes what updates have left of the tables, and of others. */
  async vacuum(others: readonly string[]): Promise<void> {
    const tables = [this.#table, `${this.#table}_counters`, ...others];
    await this.#client.query(`VACUUM ${tables.join(", ")}`);
  }

  /** Removes the tables, and others, and ends the connections. */
  async drop(others: readonly string[]): Promise<void> {
    const tables = [this.#table, `${this.#table}_counters`, ...others];
    await this.#client.query(`DROP TABLE ${tables.join(", ")}`);
    await this.close();
  }

  #put(key: Uint8Array, value: Uint8Array) {
    return {
      name: "put",
      text: `INSERT INTO ${this.#table} (k, v) VALUES ($1, $2) ${UPSERT}`,
      values: [buffer(key), buffer(value)],
    };
  }
}

/** A parameter that the driver sends as it is. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
