import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  compareBytes,
  escalationKey,
  quotaKey,
  startsWith,
  subjectScanPrefix,
  tagScanPrefix,
} from "../../codec/mod.ts";
import {
  anyArgsOf,
  argsOf,
  buildKey,
  KEY_CASES,
  type KeyCase,
  partNumber,
  partText,
  showPart,
} from "./_key_cases.ts";

// Latin-1 is a bijection of bytes and strings, so the string of a key can stand for it in a map.
function identityOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

/** Collects keys and fails at the second input that makes a known one. An input that its builder
 * refuses makes none, so the rules of validity are under test and not taken for granted. */
class KeyCollector {
  readonly #inputOf = new Map<string, string>();

  add(keyCase: KeyCase, args: unknown[]): void {
    const input = `${keyCase.name}(${JSON.stringify(args.map(showPart))})`;
    const identity = keyOrRefusal(keyCase, args);
    if (identity === undefined) return;
    const known = this.#inputOf.get(identity);
    if (known !== undefined && known !== input) {
      throw new Error(`${input} and ${known} give one key`);
    }
    this.#inputOf.set(identity, input);
  }

  get size(): number {
    return this.#inputOf.size;
  }
}

function keyOrRefusal(keyCase: KeyCase, args: unknown[]): string | undefined {
  try {
    return identityOf(buildKey(keyCase, args));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

test("No two inputs give one key, within a builder or across builders", () => {
  const call = fc.constantFrom(...KEY_CASES).chain((keyCase) =>
    anyArgsOf(keyCase).map((args) => ({ keyCase, args }))
  );
  const calls = fc.array(call, { minLength: 200, maxLength: 500, size: "max" });
  fc.assert(
    fc.property(calls, (calls) => {
      const keys = new KeyCollector();
      for (const { keyCase, args } of calls) keys.add(keyCase, args);
    }),
    { numRuns: 50 },
  );
});

test("No two inputs over a small alphabet give one key, valid inputs and others all tried", () => {
  const texts = [""];
  for (let length = 1, previous = [""]; length <= 3; length++) {
    previous = previous.flatMap((text) => [":", "0", "a"].map((character) => text + character));
    texts.push(...previous);
  }
  texts.push("\0", "\0V:", "\ud800", "\udfff", "\ufffd");
  const keys = new KeyCollector();
  for (const keyCase of KEY_CASES) {
    let argLists: unknown[][] = [[]];
    for (const [, kind] of keyCase.parts) {
      const values = kind === "number" ? [0, 1, 10n] : kind === "id" ? [new Uint8Array(32)] : texts;
      argLists = argLists.flatMap((args) => values.map((value) => [...args, value]));
    }
    for (const args of argLists) keys.add(keyCase, args);
  }
  // 41 valid texts, 40 of them not empty, 16 of them without a colon.
  const pairs = 40 * 41;
  assertEquals(keys.size, pairs * 6 + 40 * 16 * 41 + 40 + 41 * 4 + 41 * 3 * 2 + 3);
});

test("Keys sort by their padded number", () => {
  fc.assert(
    fc.property(partNumber, partNumber, partText, partText, (a, b, hashA, hashB) => {
      const expected = a < b ? -1 : a > b ? 1 : 0;
      const quotas = compareBytes(quotaKey("did:key:z6Mk", a), quotaKey("did:key:z6Mk", b));
      assertEquals(Math.sign(quotas), expected);
      if (expected === 0) return;
      const escalations = compareBytes(escalationKey(a, hashA), escalationKey(b, hashB));
      assertEquals(Math.sign(escalations), expected);
    }),
    { numRuns: 2000 },
  );
});

test("A number and the bigint of its value make the same key", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (n) => {
    assertEquals(quotaKey("a", n), quotaKey("a", BigInt(n)));
    assertEquals(escalationKey(n, "h"), escalationKey(BigInt(n), "h"));
  }));
});

test("Scan prefixes find the keys of their subject and tag, and no others", () => {
  const call = fc.constantFrom(...KEY_CASES).chain((keyCase) =>
    argsOf(keyCase).map((args) => ({ keyCase, args }))
  );
  const subject = partText.filter((text) => text !== "");
  const tag = fc.constantFrom(...KEY_CASES.map((keyCase) => keyCase.tag));
  fc.assert(
    fc.property(call, fc.option(subject), tag, (called, otherSubject, otherTag) => {
      const { keyCase, args } = called;
      const owner = keyCase.parts[0]?.[0] === "subject" ? args[0] as string : undefined;
      const key = buildKey(keyCase, args);
      assertEquals(startsWith(key, tagScanPrefix(keyCase.tag, owner)), true);
      assertEquals(startsWith(key, tagScanPrefix(otherTag, owner)), otherTag === keyCase.tag);
      const other = otherSubject ?? undefined;
      assertEquals(startsWith(key, tagScanPrefix(keyCase.tag, other)), other === owner);
      if (owner !== undefined) assertEquals(startsWith(key, subjectScanPrefix(owner)), true);
      if (other !== undefined) {
        assertEquals(startsWith(key, subjectScanPrefix(other)), other === owner);
      }
    }),
    { numRuns: 2000 },
  );
});
