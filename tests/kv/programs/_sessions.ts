// @ts-nocheck: what openKv is, the test says in front of it.
// A store of sessions: each has an owner, ends by itself, and can be renewed and ended.

interface Session {
  user: string;
  roles: Set<string>;
  created: Date;
  data: Map<string, unknown>;
}

const kv = await openKv(Deno.args[0]);
const LIFE_MS = 60_000;
let ids = 0;

async function begin(user: string, roles: string[], lifeMs = LIFE_MS): Promise<string> {
  const id = `s${++ids}`;
  const session: Session = {
    user,
    roles: new Set(roles),
    created: new Date("2026-03-01T08:00:00Z"),
    data: new Map(),
  };
  const result = await kv.atomic()
    .check({ key: ["session", id], versionstamp: null })
    .set(["session", id], session, { expireIn: lifeMs })
    .set(["by user", user, id], id, { expireIn: lifeMs })
    .commit();
  if (!result.ok) throw new Error("the id is taken");
  return id;
}

async function find(id: string): Promise<Session | null> {
  return (await kv.get<Session>(["session", id])).value;
}

/** Changes a session, if nobody else does so meanwhile. */
async function update(id: string, change: (session: Session) => void): Promise<boolean> {
  const entry = await kv.get<Session>(["session", id]);
  if (entry.value === null) return false;
  change(entry.value);
  const { ok } = await kv.atomic().check(entry)
    .set(entry.key, entry.value, { expireIn: LIFE_MS }).commit();
  return ok;
}

async function end(id: string): Promise<void> {
  const session = await find(id);
  if (session === null) return;
  await kv.atomic().delete(["session", id]).delete(["by user", session.user, id]).commit();
}

async function sessionsOf(user: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of kv.list<string>({ prefix: ["by user", user] })) found.push(value);
  return found;
}

const [ada, again, bob] = [
  await begin("ada", ["admin", "user"]),
  await begin("ada", ["user"]),
  await begin("bob", ["user"]),
];
for (const user of ["ada", "bob", "eve"]) {
  console.log(`${user}: ${(await sessionsOf(user)).join(", ")}`);
}

const session = await find(ada);
console.log(session!.user, [...session!.roles].join("+"), session!.created.toISOString());
console.log(await update(ada, ({ data }) => void data.set("cart", ["lamp", { count: 2n }])));
const [article, order] = (await find(ada))!.data.get("cart") as [string, { count: bigint }];
console.log(article, `${order.count}`);
console.log(await update("none", () => {}));

// Of two changes at the same time, one is made.
const entry = await kv.get<Session>(["session", bob]);
const race = await Promise.all(
  [1, 2].map((n) => kv.atomic().check(entry).set(entry.key, { ...entry.value!, n }).commit()),
);
console.log(race.filter(({ ok }) => ok).length);

await end(again);
await end("none");
console.log((await sessionsOf("ada")).join(), await find(again));

const [a, b, none] = await kv.getMany<[Session, Session, Session]>([
  ["session", ada],
  ["session", bob],
  ["session", "none"],
]);
console.log(a.value!.user, b.value!.user, none.value, none.versionstamp);
kv.close();
