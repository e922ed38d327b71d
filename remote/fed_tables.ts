/** The tables of a store with a change feed.
 *
 * Beside its keys it has `NAME_changes (w, n, s, k, v)`, what each write has changed, in the order of `s`; and
 * `NAME_commits (p, w, n)`, the position of each write in the feed. The writers are in `NAME_feeders`: a store that was
 * opened before there was a feed misses its own table of writers, and can write nothing past the feed.
 *
 * The last thing that a write does before its commit is to lock the one row of `NAME_feed` and to take the next position.
 * So positions are in the order of the commits, and of two that can be seen nothing will ever come between them. The lock
 * is never followed by another one, so it cannot be in the way of locks of keys; the row is not changed, so serializable
 * transactions do not take it for a conflict.
 *
 * @module
 */

import { prefixUpperBound } from "../codec/prefix.ts";
import type { Watched } from "../store/call_options.ts";
import type { Dialect } from "./dialect.ts";
import { bytea, byteaArray, type Statement } from "./statement.ts";
import { nameBeside, namesOf, Tables, type WriteNumber } from "./tables.ts";

const FEEDERS = "_feeders";

/** The statements on the tables of a store with a feed. */
export class FedTables extends Tables {
  readonly #plainWriters: string;
  readonly #changes: string;
  readonly #commits: string;
  readonly #feed: string;
  /** Orders the statements of a write. */
  #s = 0;

  /** @throws {TypeError | RangeError} The name cannot be one of a table. */
  constructor(what: string, name: string) {
    super(what, name, FEEDERS);
    const parts = namesOf(what, name);
    this.#plainWriters = nameBeside(parts, "_writers");
    this.#changes = nameBeside(parts, "_changes");
    this.#commits = nameBeside(parts, "_commits");
    this.#feed = nameBeside(parts, "_feed");
  }

  override get hasLoneWrites(): boolean {
    return false;
  }

  /** Asks whether there are such tables. */
  detect(): Statement {
    return { text: "SELECT to_regclass($1) IS NOT NULL", values: [this.writers] };
  }

  override create(dialect: Dialect): Statement[] {
    return [
      { text: "BEGIN" },
      ...super.create(dialect),
      {
        text: `CREATE TABLE ${this.#changes} (w bytea NOT NULL, n bigint NOT NULL, ` +
          "s bigint NOT NULL, k bytea NOT NULL, v bytea)",
      },
      { text: `CREATE INDEX ON ${this.#changes} (w, n, s)` },
      {
        text: `CREATE TABLE ${this.#commits} (p bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ` +
          "w bytea NOT NULL, n bigint NOT NULL)",
      },
      { text: `CREATE TABLE ${this.#feed} (trimmed bigint NOT NULL)` },
      { text: `INSERT INTO ${this.#feed} (trimmed) VALUES (0)` },
      { text: `DROP TABLE IF EXISTS ${this.#plainWriters}` },
      { text: "COMMIT" },
    ];
  }

  override probe(): Statement[] {
    return [
      ...super.probe(),
      { text: `SELECT w, n, s, k, v FROM ${this.#changes} LIMIT 0` },
      { text: `SELECT p, w, n FROM ${this.#commits} LIMIT 0` },
      { text: `SELECT trimmed FROM ${this.#feed} LIMIT 0` },
    ];
  }

  protected override noted(
    { id, n }: WriteNumber,
    value: "v" | "NULL::bytea",
    { name, text, values }: Statement,
  ): Statement {
    const at = values!.length;
    return {
      ...(name !== undefined && { name }),
      text: `WITH c AS (${text} RETURNING ${value === "v" ? "k, v" : "k"}) ` +
        `INSERT INTO ${this.#changes} (w, n, s, k, v) SELECT $${at + 1}::bytea, ` +
        `$${at + 2}::bigint, $${at + 3}::bigint, k, ${value} FROM c`,
      values: [...values!, bytea(id), n, ++this.#s],
    };
  }

  override number({ id, n }: WriteNumber): Statement[] {
    return [
      { name: "lockFeed", text: `SELECT 1 FROM ${this.#feed} FOR UPDATE` },
      {
        name: "number",
        text: `WITH w AS (${this.numbering("$1", "$2")}), c AS (INSERT INTO ${this.#commits} ` +
          "(w, n) SELECT $2::bytea, $1::bigint FROM w) SELECT 1 / count(*) FROM w",
        values: [n, bytea(id)],
      },
    ];
  }

  /** Reads the last position. */
  position(): Statement {
    return {
      name: "position",
      text: `SELECT greatest(trimmed, (SELECT max(p) FROM ${this.#commits})) FROM ${this.#feed}`,
    };
  }

  /** Reads changes behind a position, up to another one: rows of what is gone, a position, a key and its value. There is
   * one of each commit at least, and one without a position where there is none.
   *
   * @param prefix What the keys begin with.
   * @param commits At most of so many.
   */
  changesAfter(
    after: bigint,
    until: bigint | undefined,
    prefix: Uint8Array,
    commits: number,
  ): Statement {
    const end = prefixUpperBound(prefix);
    return {
      name: end === undefined ? "changes" : "changesWithin",
      text: `SELECT f.trimmed, c.p, h.k, h.v FROM ${this.#feed} AS f LEFT JOIN ` +
        `(SELECT p, w, n FROM ${this.#commits} WHERE p > $1 AND p <= $2 ORDER BY p LIMIT $3) AS c ` +
        `ON true LEFT JOIN ${this.#changes} AS h ON h.w = c.w AND h.n = c.n AND h.k >= $4` +
        `${end === undefined ? "" : " AND h.k < $5"} ORDER BY c.p, h.s, h.k`,
      values: [
        String(after),
        String(until ?? 2n ** 63n - 1n),
        commits,
        bytea(prefix),
        ...end === undefined ? [] : [bytea(end)],
      ],
    };
  }

  /** Asks whether some keys, or those below a prefix, have changed behind a position, or whether that is gone. */
  hasChanged(after: bigint, watched: Watched): Statement {
    const prefix = "prefix" in watched ? watched.prefix : undefined;
    const end = prefix && prefixUpperBound(prefix);
    const where = prefix === undefined
      ? "h.k = ANY($2::bytea[])"
      : `h.k >= $2${end === undefined ? "" : " AND h.k < $3"}`;
    return {
      name: `hasChanged${prefix === undefined ? "" : end === undefined ? "From" : "Within"}`,
      text: `SELECT 1 FROM ${this.#feed} AS f WHERE f.trimmed > $1 OR EXISTS (SELECT 1 FROM ` +
        `${this.#commits} AS c JOIN ${this.#changes} AS h ON h.w = c.w AND h.n = c.n ` +
        `WHERE c.p > $1 AND ${where})`,
      values: [
        String(after),
        "keys" in watched ? byteaArray(watched.keys) : bytea(watched.prefix),
        ...end === undefined ? [] : [bytea(end)],
      ],
    };
  }

  /** Removes the changes up to a position. */
  trim(upTo: bigint): Statement[] {
    const values = [String(upTo)];
    return [
      { text: `UPDATE ${this.#feed} SET trimmed = greatest(trimmed, $1::bigint)`, values },
      {
        text: `DELETE FROM ${this.#changes} AS h USING ${this.#commits} AS c ` +
          "WHERE c.p <= $1 AND h.w = c.w AND h.n = c.n",
        values,
      },
      { text: `DELETE FROM ${this.#commits} WHERE p <= $1`, values },
    ];
  }
}
