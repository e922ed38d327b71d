import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { accelerators, blake3, crc32c, loadDigests } from "../../journal/digest.ts";
import { Journal } from "../../journal/mod.ts";
import { HybridStore } from "../../mod.ts";
import { dump, putMany } from "../crash/_stores.ts";
import { tempDirectory } from "../support/temp.ts";
import { crc32cBitwise } from "./_format.ts";
import { payloadOf, readAll } from "./_journals.ts";

const TIMEOUT = { timeout: 600_000 };
const text = new TextEncoder();

await loadDigests();

/** Runs `body` without the native packages. */
async function withoutAccelerators<T>(body: () => T | Promise<T>): Promise<T> {
  const loaded = { ...accelerators };
  accelerators.blake3 = accelerators.crc32c = undefined;
  try {
    return await body();
  } finally {
    Object.assign(accelerators, loaded);
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The input of BLAKE3's published vectors: 0 to 250, again and again. */
function vectorInput(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

// The first 32 bytes of `hash` in test_vectors.json of the reference implementation.
const BLAKE3_VECTORS: [number, string][] = [
  [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
  [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
  [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
  [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
  [2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"],
  [8192, "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63"],
  [102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"],
];

// RFC 3720, B.4.
const CRC32C_VECTORS: [Uint8Array, number][] = [
  [text.encode("123456789"), 0xe3069283],
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  [new Uint8Array(0), 0],
];

for (const isAccelerated of [true, false]) {
  const name = isAccelerated ? "with" : "without";
  const run = (body: () => void) => isAccelerated ? body() : withoutAccelerators(body);

  test(`blake3() ${name} the native package gives the published digests`, async () => {
    await run(() => {
      for (const [length, digest] of BLAKE3_VECTORS) {
        assertEquals(hex(blake3(vectorInput(length))), digest, `${length} bytes`);
      }
    });
  });

  test(`crc32c() ${name} the native package gives the published checksums`, async () => {
    await run(() => {
      for (const [bytes, checksum] of CRC32C_VECTORS) assertEquals(crc32c(bytes), checksum);
      const long = payloadOf(3, 5000);
      for (const length of [0, 1, 7, 8, 9, 255, 256, 257, 5000]) {
        assertEquals(crc32c(long.subarray(0, length)), crc32cBitwise(long.subarray(0, length)));
      }
    });
  });
}

test("both ways give the same digests, of any bytes and of two parts", TIMEOUT, async () => {
  // They are there on every machine that tests: what is compared would be one way otherwise.
  assert(accelerators.blake3 !== undefined && accelerators.crc32c !== undefined);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 300 * 1024 }),
      fc.integer(),
      fc.nat(),
      async (length, seed, at) => {
        // Not at the beginning of its buffer.
        const bytes = payloadOf(seed, length + 3).subarray(3);
        const [first, second] = [
          bytes.subarray(0, at % (length + 1)),
          bytes.subarray(at % (length + 1)),
        ];
        const digests = () => [hex(blake3(bytes)), crc32c(bytes), crc32c(second, crc32c(first))];
        const native = digests();
        assertEquals(await withoutAccelerators(digests), native);
        assertEquals(native[1], native[2]);
        assertEquals(blake3(bytes).length, 32);
      },
    ),
    { numRuns: 60, examples: [[1024, 1, 0], [1025, 1, 256], [257, 2, 257], [300 * 1024, 3, 300]] },
  );
});

test(
  "a journal that was written without the native packages is read with them",
  TIMEOUT,
  async () => {
    using temp = tempDirectory();
    const payloads = [0, 1, 300, 1024, 1025, 70_000].map((length, i) => payloadOf(i, length));
    await withoutAccelerators(async () => {
      await using journal = await Journal.open(temp.path);
      for (const payload of payloads) await journal.append(payload);
    });
    await using journal = await Journal.open(temp.path);
    assertEquals((await readAll(journal)).map(({ payload }) => payload), payloads);
    const last = await journal.append(payloadOf(9, 2000));
    await withoutAccelerators(async () => {
      assertEquals((await journal.read(last))?.payload, payloadOf(9, 2000));
    });
  },
);

test("a store works without the native packages, and each reads the other's", TIMEOUT, async () => {
  using temp = tempDirectory();
  const contents = await withoutAccelerators(async () => {
    await using store = await HybridStore.open(temp.path);
    await putMany(store, 0, 300, 700);
    assertEquals((await store.verify()).faults, []);
    return dump(store);
  });
  await HybridStore.open(temp.path).then(async (store) => {
    assertEquals(dump(store), contents);
    await putMany(store, 300, 400, 700);
    assertEquals((await store.verify()).faults, []);
    contents.splice(0, Infinity, ...dump(store));
    await store.close();
  });
  await withoutAccelerators(async () => {
    await using store = await HybridStore.open(temp.path);
    assertEquals(dump(store), contents);
  });
});
