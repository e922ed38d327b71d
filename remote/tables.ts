/** The tables of a store: the one of its keys, and the one of its writers.
 *
 * `NAME (k, v)` has the keys and their values. `NAME_writers (id, n)` has one row for each connection that writes:
 * which write was its last one. A write is a statement with its number, or a transaction that ends with it; so after
 * a lost connection it can be asked whether the write has taken place, and the same question makes sure that it
 * never will where it has not: it gives the row another id, and a write without its row does nothing.
 *
 * @module
 */

import type { KeyRange } from "../store/range.ts";
import type { Dialect } from "./dialect.ts";
import { bytea, byteaArray, type Statement } from "./statement.ts";

/** The writer that a write is of, and the number of the write. */
export interface WriteNumber {
  readonly id: Uint8Array;
  readonly n: number;
}

/** Bytes of a name of PostgreSQL: a longer one would be cut off. */
const NAME_BYTES_MAX = 63;
const WRITERS = "_writers";

/** The statements on the tables of a store. */
export class Tables {
  protected readonly keys: string;
  protected readonly writers: string;

  /** @throws {TypeError | RangeError} The name cannot be one of a table. */
  constructor(what: string, name: string, writers: string = WRITERS) {
    const parts = namesOf(what, name);
    this.keys = parts.map(quoted).join(".");
    this.writers = nameBeside(parts, writers);
  }

  /** Whether one statement can be a whole write. */
  get hasLoneWrites(): boolean {
    return true;
  }

  /** Creates the tables, where they are not there. */
  create(dialect: Dialect): Statement[] {
    return [
      { text: `CREATE TABLE IF NOT EXISTS ${this.keys} (${dialect.keyColumns})` },
      {
        text: `CREATE TABLE IF NOT EXISTS ${this.writers} ` +
          "(id bytea PRIMARY KEY, n bigint NOT NULL, since timestamptz NOT NULL DEFAULT now())",
      },
    ];
  }

  /** Reads nothing, and fails where the tables are not those of a store. */
  probe(): Statement[] {
    return [
      {
        text: `SELECT k, v FROM ${this.keys} WHERE k = $1::bytea AND v = $1::bytea LIMIT 0`,
        values: [bytea(new Uint8Array(1))],
      },
      { text: `SELECT id, n, since FROM ${this.writers} LIMIT 0` },
    ];
  }

  get(key: Uint8Array): Statement {
    return { name: "get", text: `SELECT v FROM ${this.keys} WHERE k = $1`, values: [bytea(key)] };
  }

  has(key: Uint8Array): Statement {
    return { name: "has", text: `SELECT 1 FROM ${this.keys} WHERE k = $1`, values: [bytea(key)] };
  }

  getMany(keys: readonly Uint8Array[]): Statement {
    return {
      name: "getMany",
      text: `SELECT k, v FROM ${this.keys} WHERE k = ANY($1::bytea[])`,
      values: [byteaArray(keys)],
    };
  }

  /** Reads keys that are about to be changed, in the order of all that lock keys. */
  lockMany(keys: readonly Uint8Array[]): Statement {
    return {
      name: "lockMany",
      text: `SELECT k, v FROM ${this.keys} WHERE k = ANY($1::bytea[]) ORDER BY k FOR UPDATE`,
      values: [byteaArray(keys)],
    };
  }

  page(bounds: KeyRange, limit: number, hasValues: boolean): Statement {
    const { where, name, values } = within(bounds);
    const order = bounds.reverse ? " DESC" : "";
    const shape = `${bounds.reverse ? "Down" : ""}${hasValues ? "" : "Keys"}`;
    const text = `SELECT k${hasValues ? ", v" : ""} FROM ${this.keys} WHERE ${where} ` +
      `ORDER BY k${order}`;
    if (limit === Infinity) return { name: `all${name}${shape}`, text, values };
    return {
      name: `page${name}${shape}`,
      text: `${text} LIMIT $${values.length + 1}`,
      values: [...values, limit],
    };
  }

  count(bounds: KeyRange): Statement {
    const { where, name, values } = within(bounds);
    return {
      name: `count${name}`,
      text: `SELECT count(*) FROM ${this.keys} WHERE ${where}`,
      values,
    };
  }

  /** Counts at most so many keys. */
  countSome(bounds: KeyRange, limit: number): Statement {
    const { where, name, values } = within(bounds);
    return {
      name: `countSome${name}`,
      text: `SELECT count(*) FROM (SELECT 1 FROM ${this.keys} WHERE ${where} LIMIT ` +
        `$${values.length + 1}) AS found`,
      values: [...values, limit],
    };
  }

  /** Sets some keys, as a part of a write. */
  put(
    keys: readonly Uint8Array[],
    values: readonly Uint8Array[],
    number: WriteNumber,
  ): Statement {
    return this.noted(number, "v", {
      name: "put",
      text:
        `INSERT INTO ${this.keys} (k, v) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ${UPSERT}`,
      values: [byteaArray(keys), byteaArray(values)],
    });
  }

  /** Removes some keys, likewise. */
  delete(keys: readonly Uint8Array[], number: WriteNumber): Statement {
    return this.noted(number, "NULL::bytea", {
      name: "delete",
      text: `DELETE FROM ${this.keys} WHERE k = ANY($1::bytea[])`,
      values: [byteaArray(keys)],
    });
  }

  /** Removes the first keys of a range, likewise. */
  deleteRange(bounds: KeyRange, limit: number, number: WriteNumber): Statement {
    const { where, name, values } = within(bounds);
    if (limit === Infinity) {
      return this.noted(number, "NULL::bytea", {
        name: `deleteRange${name}`,
        text: `DELETE FROM ${this.keys} WHERE ${where}`,
        values,
      });
    }
    const order = bounds.reverse ? " DESC" : "";
    return this.noted(number, "NULL::bytea", {
      name: `deleteSome${name}${bounds.reverse ? "Down" : ""}`,
      text: `DELETE FROM ${this.keys} WHERE k IN (SELECT k FROM ${this.keys} WHERE ${where} ` +
        `ORDER BY k${order} LIMIT $${values.length + 1})`,
      values: [...values, limit],
    });
  }

  /** Returns a statement that also notes what it has changed, where that is noted.
   *
   * @param value What is noted as the value, of the rows that it returns.
   */
  protected noted(
    _number: WriteNumber,
    _value: "v" | "NULL::bytea",
    statement: Statement,
  ): Statement {
    return statement;
  }

  /** Sets one key, as a write of its own. Returns a row where the writer has its row. */
  putAlone(key: Uint8Array, value: Uint8Array, { id, n }: WriteNumber): Statement {
    return {
      name: "putAlone",
      text: `WITH w AS (${this.numbering("$3", "$4")}) INSERT INTO ${this.keys} (k, v) ` +
        `SELECT $1::bytea, $2::bytea FROM w ${UPSERT}`,
      values: [bytea(key), bytea(value), n, bytea(id)],
    };
  }

  /** Sets some keys, likewise. */
  putManyAlone(
    keys: readonly Uint8Array[],
    values: readonly Uint8Array[],
    { id, n }: WriteNumber,
  ): Statement {
    return {
      name: "putManyAlone",
      text: `WITH w AS (${this.numbering("$3", "$4")}) INSERT INTO ${this.keys} (k, v) ` +
        `SELECT p.k, p.v FROM w, unnest($1::bytea[], $2::bytea[]) AS p (k, v) ${UPSERT}`,
      values: [byteaArray(keys), byteaArray(values), n, bytea(id)],
    };
  }

  /** Numbers a transaction, as the last statements of it, which fail where the writer has lost its row. */
  number({ id, n }: WriteNumber): Statement[] {
    return [{
      name: "number",
      text: `WITH w AS (${this.numbering("$1", "$2")}) SELECT 1 / count(*) FROM w`,
      values: [n, bytea(id)],
    }];
  }

  /** Adds the row of a writer, whose next write is the first one. */
  addWriter(id: Uint8Array): Statement {
    return {
      name: "addWriter",
      text: `INSERT INTO ${this.writers} (id, n) VALUES ($1, 0)`,
      values: [bytea(id)],
    };
  }

  /** Gives the row of a writer another id, waits for what it is writing, and returns the number of its last write.
   * It may be asked again: then the row has the other id already. */
  resolve(from: Uint8Array, to: Uint8Array): Statement {
    return {
      name: "resolve",
      text: `UPDATE ${this.writers} SET id = $2 WHERE id IN ($1, $2) RETURNING n`,
      values: [bytea(from), bytea(to)],
    };
  }

  removeWriters(ids: readonly Uint8Array[]): Statement {
    return {
      name: "removeWriters",
      text: `DELETE FROM ${this.writers} WHERE id = ANY($1::bytea[])`,
      values: [byteaArray(ids)],
    };
  }

  protected numbering(n: string, id: string): string {
    return `UPDATE ${this.writers} SET n = ${n}::bigint WHERE id = ${id}::bytea RETURNING 1`;
  }
}

const UPSERT = "ON CONFLICT (k) DO UPDATE SET v = excluded.v";

function within({ start, end }: KeyRange): { where: string; name: string; values: unknown[] } {
  if (end === undefined) return { where: "k >= $1", name: "From", values: [bytea(start)] };
  return { where: "k >= $1 AND k < $2", name: "", values: [bytea(start), bytea(end)] };
}

/** Returns the quoted name of a table beside that of the keys. */
export function nameBeside(parts: readonly string[], suffix: string): string {
  return [...parts.slice(0, -1), parts.at(-1) + suffix].map(quoted).join(".");
}

/** Returns the schema, where there is one, and the name of a table.
 *
 * @throws {TypeError | RangeError} It cannot be a name.
 */
export function namesOf(what: string, name: unknown): string[] {
  if (typeof name !== "string") throw new TypeError(`${what}: table is not a string`);
  const parts = name.split(".");
  const longest = NAME_BYTES_MAX - WRITERS.length;
  for (const part of parts) {
    const { length } = new TextEncoder().encode(part);
    // deno-lint-ignore no-control-regex -- It ends what the server reads.
    if (length === 0 || length > longest || /\x00/.test(part) || !part.isWellFormed()) {
      throw new RangeError(
        `${what}: table is ${
          JSON.stringify(name)
        }; it is NAME or SCHEMA.NAME, each 1 to ${longest} ` +
          "bytes of UTF-8, without NUL",
      );
    }
  }
  if (parts.length > 2) {
    throw new RangeError(`${what}: table is ${JSON.stringify(name)}, which has more than one dot`);
  }
  return parts;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
