import { HybridStore, MAX_KEY_BYTES, type OrderedStore } from "../../mod.ts";
import { contractSuite } from "./suite.ts";

const SMALL = { memtableBytes: 2000, segmentBytes: 4000 };

contractSuite("HybridStore", () => HybridStore.openTemp());
contractSuite("HybridStore, small memtables", () => HybridStore.openTemp(SMALL));
contractSuite(
  "HybridStore, append side by default",
  () => HybridStore.openTemp({ routes: [], defaultEngine: "append" }),
);
contractSuite("HybridStore in memory", () => HybridStore.openMemory());
contractSuite(
  "HybridStore in memory, small memtables",
  () => HybridStore.openMemory({ ...SMALL, defaultEngine: "append" }),
);

/** A part of a store that has other keys around it; closing it closes the store. */
async function makeSub(): Promise<OrderedStore> {
  const store = await HybridStore.openTemp(SMALL);
  for (const key of ["part", "part.", "part0", "z"]) await store.put(key, "another's");
  const part = store.sub("part/");
  const close = part.close.bind(part);
  return Object.assign(part, {
    close: async () => {
      await close();
      await store.close();
    },
    [Symbol.asyncDispose]: async () => {
      await close();
      await store.close();
    },
  });
}

contractSuite("SubStore", makeSub, {
  hasEmptyKey: true,
  keyBytesMax: MAX_KEY_BYTES - "part/".length,
});
