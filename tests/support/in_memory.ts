/** Loaded before test files: the stores that they open in temporary directories are in memory instead. */

import { HybridStore } from "../../store/hybrid_store.ts";

HybridStore.openTemp = (options) => HybridStore.openMemory(options);
