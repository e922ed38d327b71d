/** Counts page views over HTTP, in Bun or in Deno.
 *
 *     bun examples/page_counter.ts
 *     deno run --allow-net --allow-ffi --allow-read --allow-write --allow-env examples/page_counter.ts
 *
 * `GET /any/page` counts a view and answers with the sum; `GET /_top` lists the pages that were viewed most.
 *
 * @module
 */

import { decodeU64, DEFAULT_ROUTES, HybridStore, type OpenOptions, toText } from "@hybrid/store";

// Views are written far more often than they are read: their tag goes to the append side, where a count
// need not wait for the disk. A power loss can take about the last second of them.
const OPTIONS: OpenOptions = { routes: [...DEFAULT_ROUTES, { tag: "VIEWS:", engine: "append" }] };
const TOP = 10;

/** Opens the store of a counter. */
export function openCounter(directory: string): Promise<HybridStore> {
  return HybridStore.open(directory, OPTIONS);
}

/** Returns the function that answers requests. */
export function createHandler(store: HybridStore): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/_top") return Response.json(await topPages(store));
    const views = await store.fetchAndAddU64(viewsKey(pathname), 1n);
    return new Response(`${pathname} was viewed ${views} times\n`);
  };
}

function viewsKey(path: string): string {
  return `${path}\0VIEWS:`;
}

async function topPages(store: HybridStore): Promise<{ path: string; views: number }[]> {
  const pages = [];
  for await (const { key, value } of store.scan()) {
    const [path] = toText(key).split("\0");
    pages.push({ path: path!, views: Number(decodeU64(value)) });
  }
  return pages.sort((a, b) => b.views - a.views).slice(0, TOP);
}

interface Runtimes {
  Bun?: {
    serve(options: { port: number; fetch: (request: Request) => Promise<Response> }): unknown;
  };
  Deno?: {
    serve(options: { port: number }, handler: (request: Request) => Promise<Response>): unknown;
  };
}

if (import.meta.main) {
  const store = await openCounter("./data/page_counter");
  const handler = createHandler(store);
  const { Bun, Deno } = globalThis as Runtimes;
  if (Bun !== undefined) Bun.serve({ port: 8000, fetch: handler });
  else Deno!.serve({ port: 8000 }, handler);
  console.log("http://localhost:8000/");
}
