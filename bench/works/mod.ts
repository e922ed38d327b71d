/** All works, in the order in which they run: those that share stores side by side.
 *
 * @module
 */

import { BATCHES } from "./batches.ts";
import { BURSTS } from "./bursts.ts";
import { COUNTS } from "./counters.ts";
import { OPENS } from "./open.ts";
import { PUTS } from "./puts.ts";
import { READS, READS_OF_OTHER_DATA } from "./reads.ts";
import { SNAPSHOTS } from "./snapshots.ts";
import type { Work } from "./work.ts";
import { YCSB } from "./ycsb.ts";

export { type Entry, type Figures, guaranteeOf, type Row, type Trial, type Work } from "./work.ts";

export const WORKS: readonly Work[] = [
  ...PUTS,
  ...SNAPSHOTS,
  ...BATCHES,
  ...BURSTS,
  ...COUNTS,
  ...OPENS,
  ...READS,
  // Mixes change what the reads before them read.
  ...YCSB,
  ...READS_OF_OTHER_DATA,
];
