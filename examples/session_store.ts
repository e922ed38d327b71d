/** Sessions of a web server: each has a value and a time at which it ends.
 *
 *     bun examples/session_store.ts
 *
 * A session is one entry, and a second entry sorts it by its end. Both are written in one batch, so that a
 * crash leaves no session that is never removed.
 *
 * @module
 */

import { HybridStore, toJson, toText } from "@hybrid/store";

/** What is kept of a session. */
export interface Session {
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly ends: number;
}

/** Sessions in a store. */
export class SessionStore {
  readonly #store: HybridStore;
  readonly #now: () => number;

  /** @param now Tells the time, in milliseconds since 1970. */
  constructor(store: HybridStore, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /** Begins a session and returns its id. It is on disk when this resolves. */
  async begin(user: string, lastsMs: number): Promise<string> {
    const id = crypto.randomUUID();
    const session: Session = { user, ends: this.#now() + lastsMs };
    await this.#store.batch()
      .put(sessionKey(id), JSON.stringify(session))
      .put(endKey(session.ends, id), "")
      .commit();
    return id;
  }

  /** Returns a session, `undefined` where it has ended. */
  async get(id: string): Promise<Session | undefined> {
    const session = toJson<Session>(await this.#store.get(sessionKey(id)));
    return session !== undefined && session.ends > this.#now() ? session : undefined;
  }

  /** Lets a session last longer, and returns whether it is there. */
  prolong(id: string, lastsMs: number): Promise<boolean> {
    return this.#store.transact((tx) => {
      const session = toJson<Session>(tx.get(sessionKey(id)));
      if (session === undefined || session.ends <= this.#now()) return false;
      const ends = this.#now() + lastsMs;
      tx.delete(endKey(session.ends, id));
      tx.put(sessionKey(id), JSON.stringify({ ...session, ends }));
      tx.put(endKey(ends, id), "");
      return true;
    });
  }

  /** Removes the sessions that have ended, and returns how many there were. */
  async sweep(): Promise<number> {
    const ended = [];
    const range = { gte: "end/", lt: endKey(this.#now(), "") };
    for await (const key of this.#store.keys(range)) ended.push(toText(key));
    const batch = this.#store.batch();
    for (const key of ended) batch.delete(key).delete(sessionKey(key.split("/")[2]!));
    await batch.commit();
    return ended.length;
  }
}

function sessionKey(id: string): string {
  return `session/${id}`;
}

/** Times sort as text when they have as many digits. */
function endKey(ends: number, id: string): string {
  return `end/${String(ends).padStart(15, "0")}/${id}`;
}

if (import.meta.main) {
  await using store = await HybridStore.openTemp();
  const sessions = new SessionStore(store);
  const id = await sessions.begin("ada", 60_000);
  console.log(await sessions.get(id));
}
