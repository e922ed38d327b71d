import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Random } from "../support/random.ts";
import { assertFound, HEADER_BYTES, type Image, PAGE_BYTES, withSmall } from "./_lmdb_image.ts";

const TIMEOUT = { timeout: 600_000 };
/** Where a record has levels, branch pages, leaf pages, overflow pages, entries. */
const COUNTS = [6, 8, 16, 24, 32];

test("checkLmdbPages() survives any flipped bit", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const seed = 4;
    const random = new Random(seed);
    const pages = [0, 1, ...image.allPages()];
    let found = 0;
    for (let i = 0; i < 400; i++) {
      // Half of the flips are in the first bytes of pages, where the structure is.
      const page = random.pick(pages);
      const at = page * PAGE_BYTES + random.below(random.once(2) ? 168 : PAGE_BYTES);
      const faults = await find((image) => image.flip(at, random.below(8)));
      assertLess(faults.length, 101, `seed ${seed}, byte ${at}`);
      if (faults.length > 0) found++;
    }
    assertGreater(found, 100, `seed ${seed}`);
  });
});

test("checkLmdbPages() finds a flipped bit in the header of a page", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const random = new Random(5);
    const fields = [
      { at: 0, bytes: 8, reason: /names itself/ },
      { at: 18, bytes: 2, reason: /flags/ },
      { at: 20, bytes: 2, reason: /free space|node|gap/ },
      { at: 22, bytes: 2, reason: /free space|node|gap/ },
    ];
    for (const page of image.allPages()) {
      for (const { at, bytes, reason } of fields) {
        const byte = page * PAGE_BYTES + at + random.below(bytes);
        assertFound(await find((image) => image.flip(byte, random.below(8))), page, reason, byte);
      }
      const start = page * PAGE_BYTES;
      const far = await find((image) => image.flip(start + 21, 7));
      assertFound(far, page, /has its free space from 3\d+ to/);
      const empty = await find((image) => {
        image.view.setUint16(start + 20, 0, true);
        image.view.setUint16(start + 22, PAGE_BYTES - HEADER_BYTES, true);
      });
      assertFound(empty, page, /has 0 nodes/);
    }
  });
});

test("checkLmdbPages() finds a flipped bit in a node's offset or header", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const random = new Random(6);
    for (const page of image.pages("entries")) {
      const nodes = image.nodes(page);
      const index = random.below(nodes.length);
      const offset = page * PAGE_BYTES + HEADER_BYTES + 2 * index + random.below(2);
      const places = [offset, nodes[index]! + 6 + random.below(2)];
      if (image.isLeaf(page)) places.push(nodes[index]! + 5);
      // The value of a node on overflow pages has its length tested with those.
      const isInside = image.isLeaf(page) && !image.isOnOverflow(nodes[index]!);
      if (isInside) places.push(nodes[index]! + 1, nodes[index]! + 4);
      for (const at of places) {
        const faults = await find((image) => image.flip(at, 1 + random.below(7)));
        assertFound(faults, page, /node|gap/, at);
      }
      const within = await find((image) => {
        const start = page * PAGE_BYTES;
        const offsetsBytes = image.view.getUint16(start + 20, true);
        const place = nodes[index]! - start - HEADER_BYTES + 2;
        image.view.setUint16(start + HEADER_BYTES + offsetsBytes, place, true);
        image.view.setUint16(start + 20, offsetsBytes + 2, true);
      });
      assertFound(within, page, /nodes that overlap/);
    }
  });
});

test("checkLmdbPages() finds a child pointer that is wrong", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const root = image.pages("entries")[0]!;
    const [first, second] = image.nodes(root);
    const point = (node: number, to: number) => (image: Image) => {
      image.view.setUint32(node, to, true);
    };
    const lastPage = image.number(image.meta * PAGE_BYTES + 144);
    const outside = /points to page \d+, outside of 2 to/;
    assertFound(await find(point(first!, 0)), root, outside);
    assertFound(await find(point(first!, lastPage + 1)), root, outside);
    const far = await find((image) => image.view.setUint16(first! + 4, 1, true));
    assertFound(far, root, outside);
    const child = image.child(second!);
    assertFound(await find(point(first!, child)), child, /below|above|twice/);
    assertFound(await find(point(first!, root)), root, /twice/);
    assertFound(await find(point(second!, image.child(first!))), image.child(first!), /twice/);
    const { free } = image.freeList();
    assertFound(await find(point(first!, free)), free, /in the free list/);
    const leaf = image.child(image.nodes(child)[0]!);
    assertFound(await find(point(second!, leaf)), leaf, /is a leaf on level 2, others on 3/);
  });
});

test("checkLmdbPages() finds keys that are empty or out of order", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const pages = image.pages("entries").filter((page) => image.nodes(page).length > 2);
    assert(pages.some((page) => !image.isLeaf(page)));
    for (const page of pages) {
      const faults = await find((image) => {
        const at = page * PAGE_BYTES + HEADER_BYTES + 2;
        const second = image.view.getUint16(at, true);
        image.view.setUint16(at, image.view.getUint16(at + 2, true), true);
        image.view.setUint16(at + 2, second, true);
      });
      assertFound(faults, page, /has key 2 at or below/);
    }
    for (const page of image.leaves().slice(1, -1)) {
      const first = image.nodes(page)[0]! + 8;
      const last = image.nodes(page).at(-1)! + 8;
      assertFound(await find((image) => void (image.bytes[first] = 0)), page, /keys below/);
      assertFound(await find((image) => void (image.bytes[last] = 0xff)), page, /keys at or above/);
    }
    // The node keeps its end, so that nothing but the length of its key is wrong.
    const node = image.nodes(image.leaves()[0]!).find((node) => !image.isOnOverflow(node))!;
    const empty = await find((image) => {
      const keyBytes = image.view.getUint16(node + 6, true);
      image.view.setUint16(node + 6, 0, true);
      image.view.setUint32(node, image.view.getUint32(node, true) + keyBytes, true);
    });
    assertFound(empty, image.leaves()[0]!, /a key of 0 bytes/);
  });
});

test("checkLmdbPages() finds counts that are wrong", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const leaf = image.pages("main").at(-1)!;
    for (const name of ["free", "main", "entries"] as const) {
      const page = name === "entries" ? leaf : image.meta;
      for (const count of COUNTS) {
        const at = image.record(name) + count;
        const faults = await find((image) => image.flip(at, 0));
        assertFound(faults, page, /says \d+ \w+/, `${name} ${count}`);
      }
      const flags = await find((image) => image.flip(image.record(name) + 4, 2));
      assertFound(flags, page, /has flags \d+ for/, name);
      const rootAt = image.record(name) + 40;
      const root = await find((image) => image.flip(rootAt + 7, 6));
      assertFound(root, page, /points to page/, name);
      const none = await find((image) => void image.bytes.fill(255, rootAt, rootAt + 8));
      assertFound(none, page, /says \d+ levels/, name);
    }
  });
});

test("checkLmdbPages() finds a value whose overflow pages are wrong", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const { page, node, first } = image.overflowNode();
    const record = image.valueAt(node);
    const start = first * PAGE_BYTES;
    assertFound(await find((image) => image.flip(record + 16, 3)), first, /is a run of \d+ pages/);
    assertFound(await find((image) => image.setNumber(record + 16, 0)), page, /on 0 pages/);
    assertFound(await find((image) => image.flip(record + 20, 0)), first, /is a run of \d+ pages/);
    const long = await find((image) => {
      image.setNumber(record + 16, 100_000);
      image.view.setUint32(start + 20, 100_000, true);
    });
    assertFound(long, page, /points to 99999 pages from/);
    assertFound(await find((image) => image.flip(start + 20, 3)), first, /is a run of \d+ pages/);
    assertFound(await find((image) => image.flip(record + 8, 0)), first, /is of transaction/);
    assertFound(await find((image) => image.flip(start + 8, 0)), first, /is of transaction/);
    const unnamed = await find((image) => image.flip(start, 0));
    assertFound(unnamed, first, /names itself/);
    // That the tree has fewer overflow pages now than it should have is no news.
    assertEquals(unnamed.length, 1);
    assertFound(await find((image) => image.flip(start + 18, 1)), first, /flags 6/);
    assertFound(await find((image) => image.flip(node + 2, 0)), page, /on \d+ pages/);
    const other = await find((image) => image.setNumber(record, page));
    assertFound(other, page, /used twice/);
  });
});

test("checkLmdbPages() finds pages that are newer than they can be", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    for (const page of image.allPages()) {
      const faults = await find((image) => image.setNumber(page * PAGE_BYTES + 8, 10_000));
      assertFound(faults, page, /is of transaction 10000/);
    }
  });
});

test("checkLmdbPages() finds a free list that is wrong", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const { page, node, list, free } = image.freeList();
    const set = (...numbers: number[]) => (image: Image) => {
      numbers.forEach((number, i) => image.setNumber(list + 8 * i, number));
    };
    const used = image.leaves()[0]!;
    assertFound(await find(set(2, 100_000, 0)), page, /frees page 100000, outside/);
    assertFound(await find(set(2, -100_000, 5)), page, /frees 100000 pages from 5, outside/);
    assertFound(await find(set(1, 1)), page, /frees page 1, outside/);
    assertFound(await find(set(1, used)), used, /used by page \d+ and in the free list/);
    assertFound(await find(set(1, page)), page, /is used, and freed by page/);
    assertFound(await find(set(2, free, free)), page, /free already/);
    assertFound(await find(set(1, -2)), page, /ends the free list .* within a block/);
    assertFound(await find(set(500)), page, /has 500 numbers in a free list/);
    assertFound(await find(set(-1)), page, /has -1 numbers in a free list/);
    const odd = await find((image) => image.flip(node, 0));
    assertFound(odd, page, /node|gap|room for/);
    const first = image.nodes(page)[0]! + 8;
    const early = await find((image) => image.setNumber(first, 0));
    assertFound(early, page, /free pages of transaction 0/);
  });
});

test("checkLmdbPages() finds pages that are zeroed or swapped", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    for (const page of image.allPages()) {
      const at = page * PAGE_BYTES;
      const faults = await find((image) => void image.bytes.fill(0, at, at + PAGE_BYTES));
      assertFound(faults, page, /names itself page 0/);
    }
    const [one, other] = [image.leaves()[1]! * PAGE_BYTES, image.leaves()[5]! * PAGE_BYTES];
    const faults = await find((image) => {
      const first = image.bytes.slice(one, one + PAGE_BYTES);
      image.bytes.copyWithin(one, other, other + PAGE_BYTES);
      image.bytes.set(first, other);
    });
    assertFound(faults, one / PAGE_BYTES, /names itself/);
    assertFound(faults, other / PAGE_BYTES, /names itself/);
  });
});

test("checkLmdbPages() finds that a file is cut", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const pages = [...image.pages("entries"), image.overflowNode().first].sort((a, b) => a - b);
    for (const page of pages.slice(-10)) {
      for (const size of [page * PAGE_BYTES, (page + 1) * PAGE_BYTES - 1]) {
        const faults = await find((image) => image.bytes.subarray(0, size));
        assertFound(faults, page, /is behind the end of the file/, size);
      }
    }
    const single = await find((image) => image.bytes.subarray(0, PAGE_BYTES));
    assertFound(single, 1, /is cut off by the end/);
  });
});

/** Whether a byte of a meta page can hold anything: it means nothing, or just that the last page is
 * further behind. The map has a test of its own.
 */
function isUnread(at: number): boolean {
  const unread = [[8, 18], [20, 24], [32, 48], [53, 54], [96, 100], [144, 147]];
  return unread.some(([from, to]) => at >= from! && at < to!);
}

/** Whether a byte of the older meta page is about a state of which nothing may be left. */
function isStale(at: number): boolean {
  return (at >= 54 && at < 100) || (at >= 102 && at < 152);
}

test("checkLmdbPages() finds meta pages that are wrong", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const random = new Random(7);
    for (const page of [0, 1]) {
      const start = page * PAGE_BYTES;
      const isNewer = page === image.meta;
      for (let at = 0; at < 160; at++) {
        if (isUnread(at) || (!isNewer && isStale(at))) continue;
        const faults = await find((image) => image.flip(start + at, random.below(8)));
        // Where the transaction is wrong, the older page may pass for the newer one.
        assertGreater(faults.length, 0, `byte ${at} of page ${page}`);
        if (at < 54) assertFound(faults, page, /./, at);
      }
      const map = await find((image) => image.setNumber(start + 40, PAGE_BYTES));
      assertFound(map, page, /has a map of/);
      const last = await find((image) => image.flip(start + 151, 0));
      assertFound(last, page, /as its last page/);
    }
    const large = await find((image) => image.view.setUint32(48, 2 * PAGE_BYTES, true));
    assertEquals(large.map(({ page }) => page), [0n]);
    const older = 1 - image.meta;
    const advanced = await find((image) => {
      const transaction = image.number(image.meta * PAGE_BYTES + 152);
      image.setNumber(older * PAGE_BYTES + 152, transaction + 1);
    });
    assertFound(advanced, older, /is of transaction \d+, and its main tree of/);
    const both = await find((image) => {
      image.bytes.fill(0, 24, 28);
      image.bytes.fill(0, PAGE_BYTES + 24, PAGE_BYTES + 28);
    });
    assertEquals(both.map(({ page }) => page), [0n, 1n]);
  });
});

test("checkLmdbPages() finds a named database that is missing", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const leaf = image.pages("main").at(-1)!;
    const [entries, meta] = image.nodes(leaf);
    const renamed = await find((image) => image.flip(entries! + 8, 1));
    assertFound(renamed, leaf, /has no database entries/);
    assertFound(await find((image) => image.flip(meta! + 11, 1)), leaf, /has no database meta/);
    const cut = await find((image) => image.view.setUint32(entries!, 47, true));
    assertFound(cut, leaf, /has 47 bytes for database entries/);
    const plain = await find((image) => image.view.setUint16(meta! + 4, 0, true));
    assertFound(plain, leaf, /has flags 0 in node 1/);
  });
});

test("checkLmdbPages() does not find other bytes in values and free pages", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const { first } = image.overflowNode();
    const { free } = image.freeList();
    const [leaf] = image.leaves();
    const value = image.nodes(leaf!).find((node) => !image.isOnOverflow(node))!;
    const places = [
      first * PAGE_BYTES + HEADER_BYTES,
      (first + 1) * PAGE_BYTES,
      image.valueAt(value),
      free * PAGE_BYTES + 18,
    ];
    for (const at of places) assertEquals(await find((image) => image.flip(at, 3)), [], `${at}`);
  });
});

test("checkLmdbPages() ends at the most faults that are asked for", TIMEOUT, async () => {
  await withSmall(async (image, find) => {
    const leaves = image.leaves();
    const zeroLeaves = (image: Image) => {
      for (const page of leaves) image.bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    };
    assertEquals((await find(zeroLeaves)).length, leaves.length);
    for (const faultsMax of [1, 7]) {
      assertEquals((await find(zeroLeaves, { faultsMax })).length, faultsMax);
    }
  });
});
