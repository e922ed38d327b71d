/** Routes as an automaton over the bytes of a key: where a key has got to decides its engine.
 *
 * @module
 */

import type { EngineName, PrefixRoute, TagRoute } from "./_route.ts";

const NUL = 0x00;

// Shared by every answer, so that asking allocates nothing; frozen, so that no caller can change
// the answers of others. The index has bit 1 for the append side and bit 2 for the B-tree side.
const ENGINES: readonly (readonly EngineName[])[] = [
  [],
  ["append"],
  ["btree"],
  ["append", "btree"],
].map((engines) => Object.freeze(engines as EngineName[]));
const BOTH = 3;
const BITS = { append: 1, btree: 2 } as const;

/** Where a walk over the bytes of a key has got to. */
export class RouteState {
  /** The engine of a key that ends here. */
  engine: EngineName;
  /** The engines of the keys that begin so, as bits. */
  bits = 0;
  /** Where the bytes without a child of their own lead; `undefined` where they stay here. */
  rest: RouteState | undefined;
  /** Whether every key that begins so has the engine of this state. */
  isSettled = false;
  /** The byte that leads here, where this state is a child. */
  byte = -1;
  // Children form a linked list: it is about as fast as a table of 256 entries for tags of letters,
  // without the kilobyte.
  child: RouteState | undefined;
  sibling: RouteState | undefined;

  constructor(engine: EngineName, rest?: RouteState) {
    this.engine = engine;
    this.rest = rest;
  }

  /** Returns where a byte leads. */
  next(byte: number): RouteState {
    let state = this.child;
    while (state !== undefined && state.byte !== byte) state = state.sibling;
    return state ?? this.rest ?? this;
  }

  *children(): Generator<RouteState> {
    for (let state = this.child; state !== undefined; state = state.sibling) yield state;
  }

  /** Adds a child that a byte leads to, which must not be another state's. */
  add(byte: number, child: RouteState): RouteState {
    child.byte = byte;
    child.sibling = this.child;
    this.child = child;
    return child;
  }
}

/** A prefix route, or the way to one. */
interface PrefixNode {
  engine: EngineName | undefined;
  readonly children: Map<number, PrefixNode>;
}

/** The routes of a store, as states. */
export class RouteStates {
  /** Where every key begins. */
  readonly start: RouteState;
  /** Where keys are that have no NUL so far and no prefix that decides. */
  readonly #subject: RouteState;
  /** Where all keys have one engine. */
  readonly #settled: Readonly<Record<EngineName, RouteState>>;

  constructor(
    tags: readonly TagRoute[],
    prefixes: readonly PrefixRoute[],
    defaultEngine: EngineName,
  ) {
    this.#settled = { append: settled("append"), btree: settled("btree") };
    this.#subject = this.#buildTags(tags, defaultEngine);
    this.start = prefixes.length === 0
      ? this.#subject
      : this.#buildPrefixes(nodesOf(prefixes), this.#subject, undefined, true);
  }

  /** Walks the bytes of a key, or of a prefix of keys. Runs for each operation of a store, hence plain
   * loops and no allocation. */
  find(bytes: Uint8Array): RouteState {
    return this.#walk(bytes, bytes.length);
  }

  /** Returns the engines of the keys of a half-open range.
   *
   * @param end The first key behind it; `undefined` for no bound.
   */
  enginesBetween(start: Uint8Array, end: Uint8Array | undefined): readonly EngineName[] {
    let shared = 0;
    if (end !== undefined) {
      const length = Math.min(start.length, end.length);
      while (shared < length && start[shared] === end[shared]) shared++;
      // At a difference or where one of them ends: the start has to be the lesser one.
      if (shared === end.length) return ENGINES[0]!;
      if (shared < start.length && start[shared]! > end[shared]!) return ENGINES[0]!;
    }
    const state = this.#walk(start, shared);
    // Some key is in the range: the start, or where that is empty the least one.
    const isOne = ENGINES[state.bits]!.length === 1;
    const isEmpty = start.length === 0 && end?.length === 1 && end[0] === NUL;
    if (isOne && !isEmpty) return ENGINES[state.bits]!;
    if (end === undefined) return ENGINES[bitsFrom(state, start, 0)]!;
    if (shared === start.length) return ENGINES[bitsBelow(state, end, shared, shared > 0)]!;
    const low = start[shared]!;
    const high = end[shared]!;
    return ENGINES[
      bitsWithin(state, low, high) |
      bitsFrom(state.next(low), start, shared + 1) |
      bitsBelow(state.next(high), end, shared + 1, true)
    ]!;
  }

  #walk(bytes: Uint8Array, length: number): RouteState {
    const subject = this.#subject;
    let state = this.start;
    for (let i = 0; i < length && !state.isSettled; i++) {
      if (state === subject) {
        while (i < length && bytes[i] !== NUL) i++;
        if (i === length) return state;
      }
      state = state.next(bytes[i]!);
    }
    return state;
  }

  #buildTags(tags: readonly TagRoute[], defaultEngine: EngineName): RouteState {
    const subject = new RouteState(defaultEngine);
    const unknown = this.#settled[defaultEngine];
    const root = subject.add(NUL, new RouteState(defaultEngine, unknown));
    for (const { tag, engine } of tags) {
      let state = root;
      for (const byte of new TextEncoder().encode(tag)) {
        // No tag is the beginning of another: each has one colon, its last byte.
        const found = state.next(byte);
        state = found === state.rest
          ? state.add(byte, new RouteState(defaultEngine, unknown))
          : found;
      }
      settle(state, engine);
    }
    noteBits(root, true);
    subject.bits = root.bits | BITS[defaultEngine];
    return subject;
  }

  /** Builds the states of prefix routes over those of the tags.
   *
   * @param tag Where the tag of a key stands that begins so.
   * @param engine That of the longest prefix so far, `undefined` where the tag decides.
   */
  #buildPrefixes(
    { children, engine: own }: PrefixNode,
    tag: RouteState,
    engine: EngineName | undefined,
    isStart = false,
  ): RouteState {
    const decided = own ?? engine;
    const below = decided === undefined ? tag : this.#settled[decided];
    if (children.size === 0) return copyState(below);
    const state = new RouteState(below.engine, below.rest ?? below);
    for (const [byte, node] of children) {
      state.add(byte, this.#buildPrefixes(node, tag.next(byte), decided));
    }
    for (const child of below.children()) {
      if (!children.has(child.byte)) state.add(child.byte, copyState(child));
    }
    noteBits(state, !isStart);
    return state;
  }
}

function nodesOf(prefixes: readonly PrefixRoute[]): PrefixNode {
  const root: PrefixNode = { engine: undefined, children: new Map() };
  for (const { prefix, engine } of prefixes) {
    let node = root;
    for (const byte of prefix) {
      const next = node.children.get(byte) ?? { engine: undefined, children: new Map() };
      node.children.set(byte, next);
      node = next;
    }
    node.engine = engine;
  }
  return root;
}

function settled(engine: EngineName): RouteState {
  const state = new RouteState(engine);
  settle(state, engine);
  return state;
}

function settle(state: RouteState, engine: EngineName): void {
  state.engine = engine;
  state.bits = BITS[engine];
  state.isSettled = true;
  state.rest = undefined;
}

/** Returns a state that does what another one does, so that it can be the child of one more. */
function copyState(state: RouteState): RouteState {
  const copy = new RouteState(state.engine, state.rest ?? (state.isSettled ? undefined : state));
  copy.bits = state.bits;
  copy.isSettled = state.isSettled;
  copy.child = state.child;
  return copy;
}

/** Collects the engines of the keys that begin so from the states below, whose own are known.
 *
 * @param countsOwn Whether a key can end here.
 */
function noteBits(state: RouteState, countsOwn: boolean): void {
  if (state.isSettled) return;
  let bits = countsOwn ? BITS[state.engine] : 0;
  let children = 0;
  for (const child of state.children()) {
    if (child.bits === 0) noteBits(child, true);
    bits |= child.bits;
    children++;
  }
  if (children < 256) bits |= state.rest?.bits ?? 0;
  state.bits = bits;
}

/** The engines of the keys whose next byte lies between two others. */
function bitsWithin(state: RouteState, above: number, below: number): number {
  let left = below - above - 1;
  let bits = 0;
  for (const { byte, bits: found } of state.children()) {
    if (byte <= above || byte >= below) continue;
    bits |= found;
    left--;
  }
  return left > 0 ? bits | (state.rest ?? state).bits : bits;
}

/** The engines of the keys that are at or above a bound, of whose bytes the first `at` lead to a state. */
function bitsFrom(state: RouteState, bound: Uint8Array, at: number): number {
  let bits = 0;
  for (; at < bound.length && bits !== BOTH; at++) {
    if (state.isSettled) break;
    bits |= bitsWithin(state, bound[at]!, 256);
    state = state.next(bound[at]!);
  }
  return bits | (bits === BOTH ? 0 : state.bits);
}

/** The engines of the keys that are below a bound.
 *
 * @param countsOwn Whether a key can end at the state.
 */
function bitsBelow(state: RouteState, bound: Uint8Array, at: number, countsOwn: boolean): number {
  let bits = 0;
  for (; at < bound.length && bits !== BOTH; at++) {
    if (countsOwn) bits |= BITS[state.engine];
    countsOwn = true;
    if (state.isSettled) break;
    bits |= bitsWithin(state, -1, bound[at]!);
    state = state.next(bound[at]!);
  }
  return bits;
}

/** Returns the engines of a state. */
export function enginesOf(state: RouteState): readonly EngineName[] {
  return ENGINES[state.bits]!;
}
