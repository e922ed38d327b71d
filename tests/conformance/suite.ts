/** The tests that every engine passes. `engineSuite` registers them for one kind of engine. */

import type { EngineKind } from "./_kit.ts";
import { applyTests } from "./_apply.ts";
import { closeTests } from "./_close.ts";
import { modelTests } from "./_model.ts";
import { rangeTests } from "./_ranges.ts";
import { readTests } from "./_reads.ts";
import { viewTests } from "./_views.ts";

export type { EngineKind } from "./_kit.ts";

/** Registers all tests for one kind of engine. */
export function engineSuite(kind: EngineKind): void {
  readTests(kind);
  rangeTests(kind);
  modelTests(kind);
  applyTests(kind);
  viewTests(kind);
  closeTests(kind);
}
